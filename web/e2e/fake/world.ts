/** A server's world in memory, for tests and development: rows of every kind, and commands that change them. Never shipped. */

import { randomUUID } from "node:crypto";
import type {
  Change,
  Client,
  Cluster,
  Image,
  Network,
  Node,
  Output,
  Pod,
  Registry,
  Service,
  State,
  Step,
  Usage,
  UsageKind,
} from "$contract/qbo";

/** Samples of usage that whoever asks is told at once, so that plots need not wait for theirs; and rows of it at most. */
const SAMPLES = 60;
const ROWS = 120_000;

export interface Rows {
  clusters: Cluster[];
  nodes: Node[];
  pods: Pod[];
  services: Service[];
  networks: Network[];
  images: Image[];
  registries: Registry[];
  clients: Client[];
}
export type RowKind = keyof Rows;

/** A message as it goes over the wire, but for the envelope's fields that nobody looks at. */
export type Payload = Partial<Rows> & {
  output?: Output[];
  input?: { message: string }[];
  version?: object[];
  usage?: Usage[];
};

/** Who is told: everybody in the user's mirror, or who asked. */
export interface Told {
  readonly mirror: string;
  /** Only those of them are told who watch what is used. */
  readonly isSample?: boolean;
  readonly envelope: object;
  readonly payload: Payload;
}

const USER = "alex@example.com";
export const HOME = "095be615-a8ad-4c33-8e9c-c7612fbf6c9f";
const CHUNK = 500;

const hex = (seed: number): string => (Math.imul(seed + 1, 2654435761) >>> 0).toString(16).padStart(8, "0");
const uuid = (seed: number): string =>
  `${hex(seed)}-${hex(seed + 7).slice(0, 4)}-4${hex(seed + 11).slice(1, 4)}-a${hex(seed + 13).slice(1, 4)}-${hex(seed + 17)}${hex(seed + 19).slice(0, 4)}`;

export class World {
  readonly rows: Rows = {
    clusters: [],
    nodes: [],
    pods: [],
    services: [],
    networks: [],
    images: [],
    registries: [],
    clients: [],
  };
  sequence = Date.now() * 1000;
  /** Whether it answers, or is silent after its echo, or has nothing behind it. */
  mood: "well" | "silent" | "failing" = "well";
  #seed = 1;
  #thread = 0;
  #sample = SAMPLES;

  constructor(private readonly tell: (told: Told) => void) {
    for (const tag of ["v1.37.2", "v1.36.1", "v1.34.4"]) this.rows.images.push(image(tag, tag === "v1.37.2"));
  }

  /** A cluster that is there. */
  cluster(name: string, workers: number, podsPerNode: number, state: State = "ready"): Cluster {
    const id = uuid((this.#seed += 31));
    const subnet = this.rows.clusters.length;
    const control = `control-${hex((this.#seed += 1))}.localhost`;
    const cluster: Cluster = {
      address: `https://10.201.${subnet}.2:6443`,
      control_plane: control,
      id,
      name,
      state,
      user: USER,
    };
    this.rows.clusters.push(cluster);
    this.rows.networks.push({
      name,
      id: hex(this.#seed).repeat(8),
      subnet: `10.201.${subnet}.0/24`,
      state: "ready",
      user: USER,
      cluster_id: cluster.id,
    });
    const names = [control, ...Array.from({ length: workers }, () => `node-${hex((this.#seed += 1))}.localhost`)];
    for (const [index, node] of names.entries()) this.node(cluster, node, index, state);
    for (const [index, node] of names.entries()) {
      for (let pod = 0; pod < podsPerNode; pod += 1) this.pod(cluster, node, index * podsPerNode + pod);
    }
    for (const [service, port] of [
      ["kubernetes", 443],
      ["kube-dns", 53],
      ["web", 80],
    ] as const) {
      this.rows.services.push(this.service(cluster, service, port));
    }
    return cluster;
  }

  node(cluster: Cluster, name: string, index: number, state: State): Node {
    const node: Node = {
      name,
      id: hex((this.#seed += 1)).repeat(8),
      image: "qbo/node:v1.37.2",
      cluster: cluster.name,
      state,
      address: `10.201.0.${index + 2}`,
      os: "Debian GNU/Linux 12 (bookworm)",
      kernel: "6.1.0-37-amd64",
      user: USER,
      cluster_id: cluster.id,
    };
    this.rows.nodes.push(node);
    return node;
  }

  pod(cluster: Cluster, node: string, index: number): Pod {
    const kinds = ["kube-proxy", "kindnet", "coredns", "web", "worker", "cache", "api"];
    const kind = kinds[index % kinds.length] ?? "pod";
    const isSystem = index % kinds.length < 3;
    const pod: Pod = {
      name: `${kind}-${hex((this.#seed += 1))}-${hex(this.#seed + 5).slice(0, 5)}`,
      id: uuid(this.#seed),
      namespace: isSystem ? "kube-system" : "default",
      address: `10.244.${index % 250}.${(index * 7) % 250}`,
      status: index % 41 === 17 ? "CrashLoopBackOff" : index % 23 === 9 ? "Pending" : "Running",
      ready: index % 41 === 17 || index % 23 === 9 ? 0 : 1,
      started: 1,
      node,
      node_status: "ready",
      cluster: cluster.name,
      user: USER,
      cluster_id: cluster.id,
      labels: [`app=${kind}`],
    };
    this.rows.pods.push(pod);
    return pod;
  }

  service(cluster: Cluster, name: string, port: number): Service {
    return {
      name,
      id: uuid((this.#seed += 1)),
      namespace: name === "kube-dns" ? "kube-system" : "default",
      address: `10.96.0.${port % 250}`,
      external_address: "",
      type: name === "web" ? "NodePort" : "ClusterIP",
      port_name: name === "kube-dns" ? "dns" : "http",
      port_number: port,
      target_port: port === 443 ? 6443 : port,
      node_port: name === "web" ? 31485 : 0,
      protocol: port === 53 ? "UDP" : "TCP",
      cluster: cluster.name,
      user: USER,
      cluster_id: cluster.id,
      selector: name === "kubernetes" ? [] : [name === "kube-dns" ? "app=coredns" : `app=${name}`],
    };
  }

  /** Rows change, and everybody is told. */
  change<Kind extends RowKind>(kind: Kind, change: Change, rows: Rows[Kind]): void {
    this.sequence += 1;
    this.tell({
      mirror: HOME,
      envelope: { ...this.#changed(), change, sequence: this.sequence },
      payload: { [kind]: rows },
    });
  }

  /** The status of a pod changes. */
  mutate(index: number, status: string): void {
    const pod = this.rows.pods[index];
    if (!pod) return;
    const next = { ...pod, status, ready: status === "Running" ? 1 : 0 };
    this.rows.pods[index] = next;
    this.change("pods", "put", [next]);
  }

  /** A pod goes and another comes. */
  replace(index: number): void {
    const pod = this.rows.pods[index];
    const cluster = this.rows.clusters.find((row) => row.id === pod?.cluster_id);
    if (!pod || !cluster) return;
    this.change("pods", "delete", [pod]);
    const next = this.pod(cluster, pod.node, index);
    this.rows.pods.pop();
    this.rows.pods[index] = next;
    this.change("pods", "put", [next]);
  }

  /** Runs a command line, for a connection, in a mirror. */
  run(line: string, wsi: string, mirror: string): void {
    this.#thread += 1;
    const say = (code: number, payload: Payload, more: object = {}): void =>
      this.tell({
        mirror,
        envelope: {
          ...base(code),
          command_id: id,
          command_line: `qbo ${line}`,
          wsi,
          uuid: mirror,
          thread_id: this.#thread,
          command: `CMD_${(verb ?? "").toUpperCase()}`,
          subcommand: SUBCOMMANDS[subject ?? ""] ?? "SUBCMD_NONE",
          ...more,
        },
        payload,
      });
    const id = randomUUID();
    const words = line.split(/\s+/);
    const [verb, subject] = words;
    const done = (): void =>
      say(200, { output: [{ message: `thread ${this.#thread} terminated in 0.002100s` }] }, { command: "CMD_DONE" });
    const fail = (code: number, problem: string, cure: string): void =>
      say(code, { output: [{ message: `${problem}; ${cure}`, problem, cure }] });
    say(202, { input: [{ message: `qbo ${line}` }] });
    if (this.mood === "silent") return;
    if (this.mood === "failing") return fail(503, "Docker does not answer", "is dockerd running?");
    if (verb === "version") {
      say(201, { version: [{ docker_api: "1.52", docker_version: "29.0.4", qbo_api: "0.1.0", host: "cloud" }] });
      return done();
    }
    if (verb === "get" && line.includes("-k")) {
      say(201, { output: [{ kubeconfig: "apiVersion: v1\nkind: Config\nclusters: []\n" }] });
      return done();
    }
    const kind = (
      {
        cluster: "clusters",
        nodes: "nodes",
        pods: "pods",
        services: "services",
        networks: "networks",
        images: "images",
        registries: "registries",
        clients: "clients",
      } as const
    )[subject ?? ""];
    if (verb === "get" && kind) {
      const rows: object[] = this.rows[kind];
      for (let at = 0; at === 0 || at < rows.length; at += CHUNK) {
        say(201, { [kind]: rows.slice(at, at + CHUNK) }, { sequence: this.sequence });
      }
      return done();
    }
    if (verb === "get" && subject === "usage") {
      const count = Math.min(SAMPLES, Math.floor(ROWS / Math.max(1, this.rows.nodes.length + this.rows.pods.length)));
      for (let at = this.#sample - count; at < this.#sample; at += 1) {
        for (const usage of this.#used(at)) say(201, { usage }, { sequence: this.sequence });
      }
      return done();
    }
    if (verb === "add" && subject === "cluster") return this.#add(words[2] ?? "", Number(words[4] ?? 3), say, done);
    if (verb === "delete" && subject === "cluster") {
      for (const name of words.slice(2)) this.#remove(name);
      return done();
    }
    if (subject === "registry" && (verb === "add" || verb === "delete")) {
      this.#registry(verb, words[2] ?? "");
      return done();
    }
    if (subject === "port" && (verb === "add" || verb === "delete")) {
      this.#port(verb, words[2] ?? "", words[3] ?? "");
      return done();
    }
    if (verb === "leave") return done();
    if (verb === "test") {
      for (const [check, level] of [
        ["kernel", "good"],
        ["cgroups", "good"],
        ["memory", "warning"],
      ] as const) {
        say(201, {
          output: [
            {
              message: `${check}: 6.1.0-37-amd64`,
              check,
              level,
              ...(level === "warning" ? { cure: "4 GiB more would do" } : {}),
            },
          ],
        });
      }
      return done();
    }
    return fail(404, `there is no ${subject ?? "object"} '${words[2] ?? ""}'`, "there are: alex, prod");
  }

  /** Tells whoever watches what is used now. */
  sample(): void {
    for (const [index, usage] of this.#used(this.#sample).entries()) {
      const envelope = { ...this.#changed(), change: index === 0 ? "snapshot" : "put", sequence: this.sequence };
      this.tell({ mirror: HOME, isSample: true, envelope, payload: { usage } });
    }
    this.#sample += 1;
  }

  /** What everything that runs uses in one of several samples, in parts: waves, each object's its own. */
  #used(at: number): Usage[][] {
    const wave = (id: string): number => 1 + Math.sin(at / 3 + (id.codePointAt(0) ?? 0)) / 2;
    const row = (kind: UsageKind, object: Node | Pod, cpu: number, memory: number): Usage => ({
      kind,
      name: object.name,
      id: object.id,
      namespace: "namespace" in object ? object.namespace : "",
      node: "node" in object ? object.node : object.name,
      cpu: cpu * wave(object.id),
      memory: Math.round(memory * wave(object.name)),
      cluster: object.cluster,
      user: object.user,
      cluster_id: object.cluster_id,
    });
    const used = [
      ...this.rows.nodes.filter((node) => node.state === "ready").map((node) => row("node", node, 0.4, 300e6)),
      ...this.rows.pods.filter((pod) => pod.status === "Running").map((pod) => row("pod", pod, 0.02, 24e6)),
    ];
    return Array.from({ length: Math.ceil(used.length / CHUNK) }, (_, part) =>
      used.slice(part * CHUNK, (part + 1) * CHUNK),
    );
  }

  /** Steps of an add, one every tick; the last one leaves it as it is where the name says so. */
  #add(
    name: string,
    nodes: number,
    say: (code: number, payload: Payload, more?: object) => void,
    done: () => void,
  ): void {
    const cluster = this.cluster(name, 0, 0, "creating");
    this.rows.nodes = this.rows.nodes.filter((node) => node.cluster_id !== cluster.id);
    this.change("clusters", "put", [cluster]);
    const names = [
      cluster.control_plane,
      ...Array.from({ length: nodes - 1 }, () => `node-${hex((this.#seed += 1))}.localhost`),
    ];
    const rows = names.map((node, index) => this.node(cluster, node, index, "creating"));
    const steps: (() => void)[] = [];
    let elapsed = 0;
    const step = (node: string, what: string, state: Step["state"], duration: number): void => {
      elapsed += 0.2;
      say(201, {
        output: [
          {
            message: `${elapsed.toFixed(1)} s  ${node || name}  ${what}`,
            object: name,
            node,
            step: what,
            state,
            elapsed,
            duration,
          },
        ],
      });
    };
    steps.push(
      () => step("", "network", "started", 0),
      () => step("", "network", "done", 0.1),
    );
    for (const row of rows)
      steps.push(() => {
        step(row.name, "container", "started", 0);
        this.change("nodes", "put", [row]);
      });
    for (const row of rows)
      steps.push(() => {
        step(row.name, "container", "done", 0.6);
        step(row.name, "ready", "started", 0);
      });
    if (!name.startsWith("slow")) {
      for (const row of rows) {
        steps.push(() => {
          row.state = "ready";
          step(row.name, "ready", "done", 4.2);
          this.change("nodes", "put", [row]);
          this.change(
            "pods",
            "put",
            [0, 1, 2].map((index) => this.pod(cluster, row.name, index)),
          );
        });
      }
      steps.push(() => {
        cluster.state = "ready";
        this.change("clusters", "put", [cluster]);
        done();
      });
    }
    const tick = (): void => {
      steps.shift()?.();
      if (steps.length > 0) setTimeout(tick, 30);
    };
    tick();
  }

  #registry(verb: "add" | "delete", name: string): void {
    const row = { name, address: `http://${name.replace("localhost", "127.0.0.1")}`, host: true, user: USER };
    this.rows.registries = this.rows.registries.filter((known) => known.name !== name);
    if (verb === "add") this.rows.registries.push(row);
    this.change("registries", verb === "add" ? "put" : "delete", [row]);
  }

  /** A port, as `8080:30080` where it comes and as `8080/tcp` where it goes. */
  #port(verb: "add" | "delete", name: string, port: string): void {
    const index = this.rows.clusters.findIndex((cluster) => cluster.name === name);
    const cluster = this.rows.clusters[index];
    if (!cluster) return;
    const [host] = port.split("/");
    const others = (cluster.ports ?? []).filter((known) => !`:${known}`.includes(`:${host}:`));
    const next = { ...cluster, ports: verb === "add" ? [...others, `${port}/tcp`] : others };
    this.rows.clusters[index] = next;
    this.change("clusters", "put", [next]);
  }

  #remove(name: string): void {
    for (const kind of ["pods", "nodes", "services"] as const) {
      const gone: { cluster: string }[] = this.rows[kind].filter((row) => row.cluster === name);
      (this.rows[kind] as { cluster: string }[]) = this.rows[kind].filter((row) => row.cluster !== name);
      if (gone.length > 0) this.change(kind, "delete", gone as never);
    }
    const gone = this.rows.clusters.filter((row) => row.name === name);
    this.rows.clusters = this.rows.clusters.filter((row) => row.name !== name);
    this.change("clusters", "delete", gone);
  }

  #changed(): object {
    return {
      ...base(201),
      command_id: "00000000-0000-0000-0000-000000000000",
      command_line: "",
      command: "CMD_NONE",
      wsi: "",
      uuid: HOME,
    };
  }
}

function image(tag: string, local: boolean): Image {
  return {
    name: `hub.docker.com/kindest/node:${tag}`,
    registry: "hub.docker.com",
    user: "kindest",
    repository: "",
    image: "node",
    tag,
    local,
  };
}

const SUBCOMMANDS: Readonly<Record<string, string>> = {
  cluster: "SUBCMD_CLUSTER",
  node: "SUBCMD_NODE",
  nodes: "SUBCMD_NODE",
  pods: "SUBCMD_POD",
  services: "SUBCMD_SERVICE",
  networks: "SUBCMD_NETWORK",
  images: "SUBCMD_IMAGE",
  registry: "SUBCMD_REGISTRY",
  registries: "SUBCMD_REGISTRY",
  port: "SUBCMD_PORT",
  clients: "SUBCMD_CLIENT",
};

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  400: "Bad Request",
  404: "Not Found",
};

function base(code: number): object {
  return {
    timestamp: new Date().toISOString().replace("Z", "000Z"),
    status: REASONS[code],
    code,
    subcommand: "SUBCMD_NONE",
    apicommand: "APICMD_NONE",
    callback: "",
    user: USER,
    agent: "qbo-api/0.1.0",
    peer: "127.0.0.1:50000",
    host: "cloud",
    source: "fake/world.ts",
    thread_id: 0,
    vhost: "127.0.0.1:9601",
  };
}
