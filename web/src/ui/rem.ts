/** How many pixels a `rem` has: more in wide windows. */
export const rem = (): number => parseFloat(getComputedStyle(document.documentElement).fontSize);
