/** Ports of the host that lead into a cluster, as rows. */

export interface Port {
  /** By what commands name it: `8080/tcp`. */
  readonly name: string;
  /** The address of the host it is at; empty where it is at all of them. */
  readonly listen: string;
  readonly host: number;
  readonly node: number;
  readonly protocol: string;
}

/** A port as clusters tell it: `[LISTEN:]HOST:NODE/PROTOCOL`, where an address of IPv6 is in brackets. */
export function portOf(text: string): Port {
  const [mapping = "", protocol = "tcp"] = text.split("/");
  const parts = /^(?:(.+):)?(\d+):(\d+)$/.exec(mapping);
  const host = Number(parts?.[2] ?? 0);
  return {
    name: `${host}/${protocol}`,
    listen: parts?.[1] ?? "",
    host,
    node: Number(parts?.[3] ?? 0),
    protocol,
  };
}
