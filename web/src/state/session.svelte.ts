/**
 * The page's session: the connection, the mirror it fills, and the beat that everything shown follows. What comes in is
 * taken in at once; what is shown is told of it once a frame, however much came.
 */

import { Connection, type Socket, type Status } from "../api/connection";
import { kindOf, type Message } from "../api/message";
import { Journal } from "../mirror/journal";
import { LISTS, Mirror, TRACKED, type Freshness, type Tracked, type TrackedKind } from "../mirror/mirror";
import { Operations, type Operation } from "../mirror/operations";
import type { Table } from "../mirror/table";
import { Usage, type Used } from "../mirror/usage";
import { Watch } from "./watch";

/** What the beat can be of, beside the kinds. */
type Beat = TrackedKind | "journal" | "operations" | "version" | "usage";

/** How long after a list failed it is asked for again. */
const RETRY = 3_000;

/** Told until the mirror in which it is asked for is left, which therefore is one of its own. */
const USAGE = "get usage -w";

/** The longest pause between parts of one sample. */
const PARTS = 40;

function randomUuid(): string {
  // `crypto.randomUUID` is there on secure origins only, which a server on a plain address is not.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

class Session {
  readonly mirror = new Mirror();
  readonly journal = new Journal();
  readonly operations = new Operations();
  readonly usage = new Usage();

  status = $state<Status>("connecting");
  /** When the next attempt is due, in milliseconds since the epoch. */
  retryAt = $state(0);
  /** Whether it was ever connected. */
  known = $state(false);
  /** Whether the latest attempt to connect came to nothing. */
  #isAway = $state(false);
  /** Since when the connection is gone, in milliseconds since the epoch. */
  lostAt = $state(0);
  /** Whether the server can tell what nodes and pods use, as far as is known. */
  isMetered = $state(true);
  /** The command that was sent from this page last, as far as it is. */
  current = $state.raw<Operation | undefined>(undefined);

  #beats = $state<Record<Beat, number>>({
    clusters: 0,
    nodes: 0,
    pods: 0,
    services: 0,
    networks: 0,
    images: 0,
    registries: 0,
    clients: 0,
    journal: 0,
    operations: 0,
    version: 0,
    usage: 0,
  });
  readonly #due = new Set<Beat>();
  #frame = 0;
  #sampling: ReturnType<typeof setTimeout> | undefined;

  /** The mirror that this page's own lists are told in, so that nobody else's messages are full of them. */
  readonly #own = randomUuid();
  /** The one in which it is told what nodes and pods use. */
  readonly #samples = randomUuid();
  readonly #watch = new Watch(
    () => this.#connection.send(USAGE, this.#samples),
    () => {
      this.#ask(`leave mirror ${this.#samples}`);
      this.usage.clear();
    },
    after,
  );
  #wsi = "";
  /** Commands that were sent and not answered yet. */
  #sent = 0;
  #currentId = "";
  readonly #connection = new Connection(
    {
      open: () => new WebSocket(address()) as Socket,
      after,
      random: Math.random,
    },
    { status: (status, retryIn) => this.#changed(status, retryIn), message: (message) => this.#take(message) },
    () => this.#ask("version"),
  );

  /** Connects, and stays connected as long as the page is there. */
  start(): void {
    this.#connection.connect();
    const look = (): void => {
      const isVisible = document.visibilityState === "visible";
      this.#watch.visible(isVisible);
      if (isVisible) this.retry();
    };
    window.addEventListener("online", look);
    document.addEventListener("visibilitychange", look);
  }

  /** Tries now instead of later. */
  retry(): void {
    if (this.status === "waiting") this.#connection.connect();
  }

  /** Runs a command line; whether it could be sent. */
  run(line: string): boolean {
    if (this.status !== "open" || !this.#connection.send(line)) return false;
    this.#sent += 1;
    this.#currentId = "";
    return true;
  }

  table<Kind extends TrackedKind>(kind: Kind): Table<Tracked[Kind]> {
    return this.mirror.tables[kind];
  }

  /** Rows of a kind; whoever reads this in an effect is told when they change. */
  rows<Kind extends TrackedKind>(kind: Kind): ReadonlyMap<string, Tracked[Kind]> {
    this.beat(kind);
    return this.mirror.tables[kind].rows as ReadonlyMap<string, Tracked[Kind]>;
  }

  freshness(kind: TrackedKind): Freshness {
    this.beat(kind);
    const freshness = this.mirror.freshness(kind);
    return freshness.state === "loading" && this.#isAway ? { state: "unknown" } : freshness;
  }

  /** What an object uses, by its id; whoever reads this in an effect is told when it differs. */
  used(id: string): Used | undefined {
    this.beat("usage");
    return this.usage.of(id);
  }

  /** Whoever shows what is used says so, and by what this returns that he does no longer. */
  readonly watchUsage = (): (() => void) => this.#watch.begin();

  /** Whether a mirror is one that this page is told things in that are nobody else's concern. */
  isOwn(mirror: string): boolean {
    return mirror === this.#own || mirror === this.#samples;
  }

  /** Grows whenever this may be shown anew. */
  beat(of: Beat): number {
    return this.#beats[of];
  }

  #changed(status: Status, retryIn: number): void {
    const was = this.status;
    this.status = status;
    if (status !== "connecting") this.#isAway = status === "waiting";
    this.retryAt = Date.now() + retryIn;
    if (status === "open") {
      this.known = true;
      this.#wsi = "";
      this.#sent = 0;
      this.#ask("version");
      for (const kind of TRACKED) this.#list(kind);
      this.isMetered = true;
      this.#watch.connected(true);
    } else if (was === "open") {
      this.lostAt = Date.now();
      this.mirror.lost();
      this.operations.lost();
      this.usage.clear();
      this.#watch.connected(false);
      this.#follow();
      this.#mark(...TRACKED, "operations", "usage");
    }
  }

  #ask(line: string): void {
    this.#connection.send(line, this.#own);
  }

  #list(kind: TrackedKind): void {
    this.#ask(LISTS[kind]);
  }

  #take(message: Message): void {
    const own = this.isOwn(message.uuid);
    if (own && message.wsi !== "") this.#wsi = message.wsi;
    const changed = this.mirror.take(message, own);
    this.#mark(...changed, "version");
    for (const kind of changed) {
      if (own && this.mirror.freshness(kind).state === "failed") setTimeout(() => this.#again(kind), RETRY);
    }
    if (this.usage.take(message)) this.#sampled();
    if (message.uuid === this.#samples && message.code >= 400) this.isMetered = false;
    // Samples are nothing that happened.
    if (own || (message.change && kindOf(message) === "usage")) return;
    this.journal.add(message);
    const mine = message.wsi !== "" && message.wsi === this.#wsi;
    const isNew = this.operations.get(message.command_id) === undefined;
    const operation = this.operations.take(message, mine);
    if (operation && mine && isNew && this.#sent > 0) {
      // The server takes up commands in the order they were sent.
      this.#sent -= 1;
      if (this.#sent === 0) this.#currentId = operation.id;
    }
    if (operation && operation.id === this.#currentId) this.#follow();
    this.#mark("journal", "operations");
  }

  /** Samples of thousands come in parts: they are shown once all have come. */
  #sampled(): void {
    clearTimeout(this.#sampling);
    this.#sampling = setTimeout(() => this.#mark("usage"), PARTS);
  }

  #again(kind: TrackedKind): void {
    if (this.status === "open" && this.mirror.freshness(kind).state === "failed") this.#list(kind);
  }

  #follow(): void {
    this.current = this.operations.get(this.#currentId);
  }

  clearJournal(): void {
    this.journal.clear();
    this.#mark("journal");
  }

  /** Dismisses what the last command said. */
  dismiss(): void {
    this.#currentId = "";
    this.current = undefined;
  }

  /** Shows an operation as if it had been sent from here. */
  show(id: string): void {
    this.#currentId = id;
    this.#follow();
  }

  #mark(...beats: Beat[]): void {
    for (const beat of beats) this.#due.add(beat);
    if (this.#frame === 0 && this.#due.size > 0) this.#frame = requestAnimationFrame(() => this.#tell());
  }

  #tell(): void {
    this.#frame = 0;
    for (const beat of this.#due) this.#beats[beat] += 1;
    this.#due.clear();
  }
}

function after(milliseconds: number, call: () => void): () => void {
  const timer = setTimeout(call, milliseconds);
  return () => clearTimeout(timer);
}

function address(): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/qbo`;
}

export const session = new Session();
