/** Quantities as people read them. */

/** Cores: thousandths below one, as Kubernetes writes them. */
export function cores(value: number): string {
  return value < 1 ? `${Math.round(value * 1000)}m` : value.toFixed(1);
}

export function bytes(value: number): string {
  const units = ["B", "Ki", "Mi", "Gi", "Ti"];
  let [amount, unit] = [value, 0];
  while (amount >= 1024 && unit < units.length - 1) [amount, unit] = [amount / 1024, unit + 1];
  return `${amount >= 100 || unit === 0 ? Math.round(amount) : amount.toFixed(1)}${units[unit] ?? ""}`;
}

/** A time, short. */
export function seconds(value: number): string {
  if (value < 60) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}
