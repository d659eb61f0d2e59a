// Made by `cargo run --package qbo-contract` from the types of crates/api: change those.

/** What became of the rows of a message that no command asked for. */
export type Change =
  /** They are there, or are as told here now. */
  | "put"
  /** They are gone; the rows are as they were last. */
  | "delete"
  /** They replace all rows of their kind that this client was told of before: it did not keep up. Further rows of the kind may follow as `put`. */
  | "snapshot";

/** A connection to the server, in one of its mirrors. */
export interface Client {
  /** Since when, in seconds since the epoch. */
  timestamp: number;
  /** Who it is. */
  user: string;
  /** The mirror. */
  mirror: string;
  /** 1: it may send commands. */
  control: number;
  /** Its address. */
  address: string;
  /** What it calls itself. */
  agent: string;
  /** The line of its latest command; empty before the first. */
  command: string;
  /** The id of that command; empty before the first. */
  command_id: string;
  /** The server's process. */
  process_id: number;
  /** The id of the task that ran its latest command. */
  thread_id: number;
  /** The connection's id. */
  wsi: string;
  /** 1: it came over HTTP/2. */
  wss_over_h2: number;
  /** The API's host. */
  host: string;
}

/** Nothing more is to be said of an end. */
export type Close = {
};

/** A cluster. */
export interface Cluster {
  /** The address of its API server, as `https://10.201.0.2:6443`. */
  address: string;
  /** The name of its control plane node. */
  control_plane: string;
  /** A uuid. */
  id: string;
  /** Its name, unique per user. */
  name: string;
  /** What it is doing. */
  state: State;
  /** Whose it is. */
  user: string;
  /** Ports of the host that lead into it, as `127.0.0.1:8080:30080/tcp`. */
  ports?: string[];
}

/** A status code with HTTP's meaning (RFC 9110): 202 accepted, 201 partial, 200 final, from 400 on failed. */
export type Code =
  /** OK: The final result. */
  | 200
  /** Created: A partial result or the progress of a running command. */
  | 201
  /** Accepted: The echo of an accepted command. */
  | 202
  /** Bad Request: The line or the request is wrong in itself. */
  | 400
  /** Forbidden: No right to do that. */
  | 403
  /** Not Found: What is named does not exist. */
  | 404
  /** Conflict: What is named exists already, or is busy. */
  | 409
  /** Content Too Large: The request is too large. */
  | 413
  /** Unprocessable Content: Understood, but it cannot be done with these objects. */
  | 422
  /** Too Many Requests: More than this connection or user may run at once. */
  | 429
  /** Client Closed Request: Cancelled by the client (nginx's code; no RFC has one). */
  | 499
  /** Internal Server Error: The server's own fault. */
  | 500
  /** Bad Gateway: Docker, a registry or Kubernetes answered with an error. */
  | 502
  /** Service Unavailable: Docker or Kubernetes cannot be reached. */
  | 503
  /** Gateway Timeout: Something did not happen in time. */
  | 504
  /** Insufficient Storage: The host has no room left. */
  | 507;

/** The fields every message has. */
export interface Envelope {
  /** RFC 3339, UTC, microseconds. */
  timestamp: string;
  /** The reason phrase of `code`. */
  status: string;
  /** How far the command is, or how it failed. */
  code: Code;
  /** One per command; every message of a command carries it. */
  command_id: string;
  /** The normalised line with `qbo ` in front. */
  command_line: string;
  /** The verb; `CMD_DONE` on the final message of success. */
  command: Verb;
  /** The object; `SUBCMD_DONE` on the final message of success. */
  subcommand: Subcommand;
  /** `APICMD_NONE`, `APICMD_DONE`, or the backend call in progress. */
  apicommand: string;
  /** What the server waits for, in words of the backend; empty when nothing. */
  callback: string;
  /** The mirror. */
  uuid: string;
  /** The e-mail address of who ran it. */
  user: string;
  /** Component and version that produced the message. */
  agent: string;
  /** The address of the client that sent the command. */
  peer: string;
  /** The name of the API's host. */
  host: string;
  /** `file:line` in the server that produced it. */
  source: string;
  /** The id of the connection that sent the command. */
  wsi: string;
  /** The id of the task that runs the command. */
  thread_id: number;
  /** The listener the connection came in on. */
  vhost: string;
  /** On rows that no command asked for: what became of them. */
  change?: Change;
  /** On rows of what is known now: the state of all objects they were taken from. It grows with every change, also over a restart of the server, and is the same for all who are told of that change. */
  sequence?: number;
}

/** The end of a program. */
export interface Exit {
  /** Its exit code. */
  code: number;
}

/** An image nodes are made from. */
export interface Image {
  /** As `hub.docker.com/kindest/node:v1.27.2`. */
  name: string;
  /** The registry's host. */
  registry: string;
  /** The first path component. */
  user: string;
  /** What stands between user and image. */
  repository: string;
  /** The last path component. */
  image: string;
  /** The tag. */
  tag: string;
  /** Whether this host holds it. */
  local: boolean;
}

/** The echo of an accepted command. */
export interface Input {
  /** The normalised line. */
  message: string;
}

/** A network: a cluster's own, or one of the host's. */
export interface Network {
  /** Its name: the cluster's, or the host's interface. */
  name: string;
  /** Docker's id, or the number of the interface. */
  id: string;
  /** As `10.201.0.0/24`; with IPv6 the range of that follows, after a comma. Of the host, the address with its prefix. */
  subnet: string;
  /** `ready`, or of the host the state of the interface. */
  state: string;
  /** Whose it is; empty for one of the host's. */
  user: string;
  /** The id of its cluster; empty for one of the host's. */
  cluster_id?: string;
}

/** A node: a container that is a Kubernetes node. */
export interface Node {
  /** The full name, which is also the container's and the Kubernetes Node's. */
  name: string;
  /** The Docker container's id. */
  id: string;
  /** The image it was made from. */
  image: string;
  /** The name of its cluster. */
  cluster: string;
  /** What it is doing. */
  state: State;
  /** Its address on the cluster's network. */
  address: string;
  /** The operating system of the image, as Kubernetes reports it. */
  os: string;
  /** The host's kernel. */
  kernel: string;
  /** Whose it is. */
  user: string;
  /** The id of its cluster. */
  cluster_id: string;
}

/** What is to be opened. */
export interface OpenRequest {
  /** What it is. */
  kind: TerminalKind;
  /** The width of the window, in characters. */
  columns: number;
  /** Its height, in lines. */
  rows: number;
  /** The name of the pod's cluster; needed where several have such a pod. */
  cluster?: string;
  /** The container of the pod; its first where none is named. */
  container?: string;
  /** Of a log: go on with what comes. */
  follow?: boolean;
  /** The pod's namespace; needed where several have such a pod. */
  namespace?: string;
  /** The name of the node, or the first eight digits or more of its id. */
  node?: string;
  /** The name of the pod, or the first eight digits or more of its id. */
  pod?: string;
  /** A session to take up again, as it was told when it was opened; all else but the size is of no matter then. */
  session?: string;
  /** Of a log: how many of its last lines come first (default 1000). */
  tail?: number;
}

/** A session that is open. */
export interface Opened {
  /** Its id, by which it is taken up again. */
  session: string;
  /** What it is, for people. */
  title: string;
}

/** A line of output. */
export type Output =
  /** A kubeconfig, and nothing else. */
  | {
    /** YAML. */
    kubeconfig: string;
  }
  /** A piece of a file, for the client to write; pieces of a file follow each other in order. */
  | {
    /** The file, as `alex/nodes.yaml`: below a directory that the client chooses. */
    file: string;
    /** What follows in it. */
    text: string;
  }
  /** A step of long work. */
  | Step
  /** A finding about the host. */
  | {
    /** The finding on one line. */
    message: string;
    /** What was looked at. */
    check: string;
    /** How it is for clusters. */
    level: "good" | "warning" | "bad";
    /** What to do about it. */
    cure?: string;
  }
  /** What went wrong and what would be right. */
  | {
    /** Both on one line. */
    message: string;
    /** What went wrong. */
    problem: string;
    /** What to do about it; empty where nothing is known. */
    cure: string;
  }
  /** A line for people. */
  | {
    /** The line. */
    message: string;
  };

/** A pod. */
export interface Pod {
  /** Its name. */
  name: string;
  /** Its uid. */
  id: string;
  /** Its namespace. */
  namespace: string;
  /** Its address; empty before it has one. */
  address: string;
  /** As `kubectl get pods` prints it: the phase, or the reason why a container does not run. */
  status: string;
  /** How many of its containers are ready. */
  ready: number;
  /** How many of its containers have started. */
  started: number;
  /** The node it is on; empty before it is scheduled. */
  node: string;
  /** That node's state; empty before it is scheduled. */
  node_status: string;
  /** The name of its cluster. */
  cluster: string;
  /** Whose it is. */
  user: string;
  /** The id of its cluster. */
  cluster_id: string;
  /** Its labels, each as `app=web`; absent where it has none. */
  labels?: string[];
}

/** A registry that the nodes of a user's clusters know. */
export interface Registry {
  /** As names of images begin with it: `localhost:5000`. */
  name: string;
  /** Where it is found: `http://127.0.0.1:5000`. */
  address: string;
  /** Whether that is the loopback of the API's host, so that nodes reach it through the API. */
  host: boolean;
  /** Whose it is. */
  user: string;
}

/** What a client sends: a command line, the mirror it is meant for, and the file that the line names, if it does. */
export interface Request {
  /** The command line without the leading `qbo`. */
  cmd: string;
  /** The text of the file that `-f` names: the server reads no files of its clients' hosts. */
  file?: string;
  /** The mirror; absent or empty means the user's own. */
  uuid?: string;
}

/** A port of a Service, or a Service without ports. */
export interface Service {
  /** Its name. */
  name: string;
  /** Its uid. */
  id: string;
  /** Its namespace. */
  namespace: string;
  /** Its address in the cluster; `None` for a headless one. */
  address: string;
  /** Its address outside the cluster; empty where it has none. */
  external_address: string;
  /** As `ClusterIP`. */
  type: string;
  /** The port's name; empty where it has none. */
  port_name: string;
  /** The port. */
  port_number: number;
  /** The port of the pods; 0 where they name it. */
  target_port: number;
  /** The port of every node; 0 where there is none. */
  node_port: number;
  /** As `TCP`. */
  protocol: string;
  /** The name of its cluster. */
  cluster: string;
  /** Whose it is. */
  user: string;
  /** The id of its cluster. */
  cluster_id?: string;
  /** The labels of the pods it leads to, each as `app=web`; absent where it names none. */
  selector?: string[];
}

/** The size of a window, in characters. */
export interface Size {
  /** Its width. */
  columns: number;
  /** Its height. */
  rows: number;
}

/** The state of a cluster or a node. */
export type State =
  /** Being made. */
  | "creating"
  /** Running, and Kubernetes says Ready. */
  | "ready"
  /** Running, but Kubernetes says it is not Ready. */
  | "not_ready"
  /** Being started. */
  | "starting"
  /** Being stopped. */
  | "stopping"
  /** Not running. */
  | "stopped"
  /** Being removed. */
  | "deleting"
  /** Failed and kept for looking. */
  | "error"
  /** Running, but its API server does not answer. */
  | "unknown"
  /** Gone. */
  | "deleted";

/** A step of long work, reported when it starts and when it ends. */
export interface Step {
  /** The step on one line, for people. */
  message: string;
  /** The object worked on: a cluster's or an image's name. */
  object: string;
  /** The node it is about; empty where it is about the whole. */
  node: string;
  /** What is done. */
  step: string;
  /** How far it is. */
  state: StepState;
  /** Seconds since the command was accepted. */
  elapsed: number;
  /** Seconds the step took so far. */
  duration: number;
  /** What there is to say about that; mostly empty. */
  detail?: string;
}

/** How far a step is. */
export type StepState =
  /** It began. */
  | "started"
  /** It goes on; the message tells how far. */
  | "progress"
  /** It is done. */
  | "done"
  /** It failed. */
  | "failed"
  /** It was undone after another step failed. */
  | "undone";

/** The object of a command, as messages name it. */
export type Subcommand =
  /** Clusters. */
  | "SUBCMD_CLUSTER"
  /** Nodes. */
  | "SUBCMD_NODE"
  /** Pods. */
  | "SUBCMD_POD"
  /** Services. */
  | "SUBCMD_SERVICE"
  /** Ports of the host that lead into clusters. */
  | "SUBCMD_PORT"
  /** Networks. */
  | "SUBCMD_NETWORK"
  /** Images. */
  | "SUBCMD_IMAGE"
  /** Registries. */
  | "SUBCMD_REGISTRY"
  /** Kubeconfigs. */
  | "SUBCMD_KUBECONFIG"
  /** Logs. */
  | "SUBCMD_LOGS"
  /** Connections. */
  | "SUBCMD_CLIENT"
  /** What nodes and pods use. */
  | "SUBCMD_USAGE"
  /** Mirrors. */
  | "SUBCMD_MIRROR"
  /** Users. */
  | "SUBCMD_USER"
  /** The host. */
  | "SUBCMD_HOST"
  /** Running commands. */
  | "SUBCMD_COMMAND"
  /** Users' own shells. */
  | "SUBCMD_SHELL"
  /** None. */
  | "SUBCMD_NONE"
  /** The command has ended. */
  | "SUBCMD_DONE";

/** What the server sends on the terminal channel as text. */
export type TerminalAnswer =
  /** It is open; bytes follow, first what was said lately where it was open before. */
  | {
    opened: Opened;
  }
  /** The program has taken so many bytes more. */
  | {
    acknowledge: number;
  }
  /** The program has ended, and so has the session. */
  | {
    exit: Exit;
  }
  /** It cannot be opened, or cannot go on here; the server closes the channel. */
  | {
    error: TerminalError;
  };

/** Why there is no terminal, or none any more. */
export interface TerminalError {
  /** How it failed. */
  code: Code;
  /** What went wrong. */
  problem: string;
  /** What to do about it; empty where nothing is known. */
  cure: string;
}

/** What a terminal is. */
export type TerminalKind =
  /** A shell in a container of the user's own, with qbo, kubectl, helm and jq. */
  | "shell"
  /** A shell in a node. */
  | "node"
  /** A shell in a container of a pod. */
  | "pod"
  /** The log of a container of a pod; what is typed is not read. */
  | "logs";

/** What a client sends on the terminal channel as text. */
export type TerminalRequest =
  /** The first frame: what is to be opened. */
  | {
    open: OpenRequest;
  }
  /** The window has another size. */
  | {
    resize: Size;
  }
  /** So many bytes more were consumed. */
  | {
    acknowledge: number;
  }
  /** End it, and do not keep it for later. */
  | {
    close: Close;
  };

/** What a node or a pod uses just now, as the kernel counts it (control groups). */
export interface Usage {
  /** What it is the usage of. */
  kind: UsageKind;
  /** The object's name. */
  name: string;
  /** The object's id. */
  id: string;
  /** The pod's namespace; empty for a node. */
  namespace: string;
  /** The node's name; of a pod, the one it is on. */
  node: string;
  /** Cores, on average since the sample before: 1.5 is one and a half. */
  cpu: number;
  /** Bytes, without those of file caches that the kernel can take back at any time (Kubernetes' "working set"). */
  memory: number;
  /** The name of its cluster. */
  cluster: string;
  /** Whose it is. */
  user: string;
  /** The id of its cluster. */
  cluster_id: string;
}

/** What a usage is the usage of. */
export type UsageKind =
  /** A node, with all that runs on it. */
  | "node"
  /** A pod. */
  | "pod";

/** The verb of a command, as messages name it. */
export type Verb =
  /** `version` */
  | "CMD_VERSION"
  /** `get` */
  | "CMD_GET"
  /** `add` */
  | "CMD_ADD"
  /** `delete` */
  | "CMD_DELETE"
  /** `load` */
  | "CMD_LOAD"
  /** `export` */
  | "CMD_EXPORT"
  /** `start` */
  | "CMD_START"
  /** `stop` */
  | "CMD_STOP"
  /** `join` */
  | "CMD_JOIN"
  /** `leave` */
  | "CMD_LEAVE"
  /** `admit` */
  | "CMD_ADMIT"
  /** `logs` */
  | "CMD_LOGS"
  /** `open` */
  | "CMD_OPEN"
  /** `test` */
  | "CMD_TEST"
  /** `cancel` */
  | "CMD_CANCEL"
  /** A line that is no command, or a change that no command made. */
  | "CMD_NONE"
  /** The command has ended. */
  | "CMD_DONE";

/** Versions: the CLI sends its own first, the server the rest. */
export interface Version {
  /** Of Docker Engine's API, as `1.41`. */
  docker_api?: string;
  /** Of Docker Engine. */
  docker_version?: string;
  /** The host the server runs on. */
  host?: string;
  /** Of the server. */
  qbo_api?: string;
  /** Of the CLI. */
  qbo_cli?: string;
}

/** The rows of each kind, by their key. */
export interface Rows {
  /** Versions. */
  version: Version;
  /** Clusters. */
  clusters: Cluster;
  /** Nodes. */
  nodes: Node;
  /** Pods. */
  pods: Pod;
  /** Services, a row for each port. */
  services: Service;
  /** Networks. */
  networks: Network;
  /** Images. */
  images: Image;
  /** Registries. */
  registries: Registry;
  /** Connections. */
  clients: Client;
  /** What nodes and pods use. */
  usage: Usage;
  /** Lines for people, steps, kubeconfigs. */
  output: Output;
  /** The command as accepted. */
  input: Input;
}

/** The key of the rows of a message. */
export type Kind = keyof Rows;

/** The rows of a message: exactly one key, with an array. */
export type Payload = {
  [Key in Kind]: Record<Key, Rows[Key][]> & Partial<Record<Exclude<Kind, Key>, never>>;
}[Kind];

/** What the server sends. */
export type Message = Envelope & Payload;
