/** What can be done with a row. */
export interface Action {
  readonly title: string;
  readonly icon: string;
  /** What it is done with, for who does not see the row. */
  readonly object: string;
  readonly isOff: boolean;
  /** What it does, or else where it leads. */
  readonly act?: () => void;
  readonly href?: string;
}
