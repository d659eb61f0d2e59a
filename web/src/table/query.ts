/** What a table is asked to show: in a view of its own that is part of the address, in a panel it is the panel's. */
export interface Query {
  readonly filter: string;
  readonly sort: string;
  readonly open: string;
}
