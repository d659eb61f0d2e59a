/** What of the clipboard is typed. */

/**
 * Text without what a page could hide in it: control characters other than tab and line ends. A paste that ended its own
 * brackets (`ESC [201~`) would have the rest of it run by a shell.
 */
export function harmless(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, "");
}
