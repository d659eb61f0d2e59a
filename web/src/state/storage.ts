/** What this browser remembers: sizes, theme, lines typed. Never a secret, and nothing that cannot be lost. */

const PREFIX = "qbo.";

/** What is remembered under a name, where it is what is expected. */
export function recall<T>(name: string, isExpected: (value: unknown) => value is T): T | undefined {
  try {
    const text = localStorage.getItem(PREFIX + name);
    if (text === null) return undefined;
    const value: unknown = JSON.parse(text);
    return isExpected(value) ? value : undefined;
  } catch {
    // Storage may be forbidden, or hold what another version wrote.
    return undefined;
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Then it is not remembered.
  }
}

export const isText = (value: unknown): value is string => typeof value === "string";
export const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
