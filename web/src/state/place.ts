/** Places in the console, and their addresses. */

/** The views, in the order of the navigation. */
export type View =
  | "console"
  | "messages"
  | "clients"
  | "version"
  | "clusters"
  | "nodes"
  | "pods"
  | "services"
  | "networks"
  | "images"
  | "registries"
  | "nowhere";

/** What is shown of one cluster, beside its nodes. */
const PARTS = ["pods", "services", "ports"] as const;
export type Part = (typeof PARTS)[number];

const isPart = (text: string): text is Part => (PARTS as readonly string[]).includes(text);

export interface Place {
  readonly view: View;
  /** The cluster of `/clusters/<name>`. */
  readonly name: string;
  /** What of the cluster is shown, in `/clusters/<name>/<part>`; empty for its nodes. */
  readonly part: Part | "";
  /** The filter. */
  readonly filter: string;
  /** The column that rows are sorted by, with `-` in front where the greatest is first. */
  readonly sort: string;
  /** The key of the row that is open. */
  readonly open: string;
}

export interface Item {
  readonly view: View;
  readonly title: string;
  readonly icon: string;
}

/** The navigation, in groups. Load balancers, users and processes have their places where their commands are there. */
export const GROUPS: readonly { readonly title: string; readonly items: readonly Item[] }[] = [
  {
    title: "API",
    items: [
      { view: "console", title: "Console", icon: "console" },
      { view: "messages", title: "Messages", icon: "messages" },
      { view: "clients", title: "Clients", icon: "clients" },
      { view: "version", title: "Version", icon: "version" },
    ],
  },
  {
    title: "Kubernetes",
    items: [
      { view: "clusters", title: "Clusters", icon: "clusters" },
      { view: "nodes", title: "Nodes", icon: "nodes" },
      { view: "pods", title: "Pods", icon: "pods" },
      { view: "services", title: "Services", icon: "services" },
    ],
  },
  { title: "Network", items: [{ view: "networks", title: "Networks", icon: "networks" }] },
  {
    title: "Storage",
    items: [
      { view: "images", title: "Images", icon: "images" },
      { view: "registries", title: "Registries", icon: "registries" },
    ],
  },
];

const VIEWS: readonly string[] = GROUPS.flatMap((group) => group.items.map((item) => item.view));

/** Whether there is a view of this name. */
export const isView = (text: string): text is View => VIEWS.includes(text);

/** A place without anything particular. */
export function at(view: View, rest: Partial<Place> = {}): Place {
  return { view, name: "", part: "", filter: "", sort: "", open: "", ...rest };
}

/** The place of an address. */
export function parse(path: string, query: string): Place {
  const [, first = "", second = "", third = "", ...others] = path.split("/");
  const parameters = new URLSearchParams(query);
  const rest = {
    filter: parameters.get("q") ?? "",
    sort: parameters.get("sort") ?? "",
    open: parameters.get("open") ?? "",
  };
  if (first === "" && second === "") return at("console", rest);
  if (!isView(first) || others.some((part) => part !== "")) return at("nowhere");
  if (second === "") return at(first, rest);
  if (first !== "clusters" || (third !== "" && !isPart(third))) return at("nowhere");
  return at(first, { ...rest, name: decode(second), part: third });
}

/** The address of a place. */
export function print(place: Place): string {
  const parameters = new URLSearchParams();
  if (place.filter !== "") parameters.set("q", place.filter);
  if (place.sort !== "") parameters.set("sort", place.sort);
  if (place.open !== "") parameters.set("open", place.open);
  const query = parameters.toString();
  const name = place.name === "" ? "" : `/${encodeURIComponent(place.name)}`;
  const part = place.part === "" ? "" : `/${place.part}`;
  return `/${place.view}${name}${part}${query === "" ? "" : `?${query}`}`;
}

export function titleOf(place: Place): string {
  const items = GROUPS.flatMap((group) => group.items);
  const title = items.find((item) => item.view === place.view)?.title ?? "Not found";
  return place.name === "" ? title : place.name;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
