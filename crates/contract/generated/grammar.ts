// Made by `cargo run --package qbo-contract` from the command table of crates/api: change that.

/** A verb; the first name is the one printed. */
export interface GrammarVerb {
  readonly names: readonly string[];
  readonly about: string;
}

/** An option of a form: its letter (empty where it has none), its word, and what its value is called (empty for a flag). */
export interface GrammarOption {
  readonly short: string;
  readonly long: string;
  readonly value: string;
  readonly about: string;
}

/** The words that follow verb and subject: how many, and what they name, as `CLUSTER|NODE`. */
export interface GrammarArgument {
  readonly take: "none" | "some" | "someOrAll" | "anyOrAll" | "any";
  readonly name: string;
}

/** One command: its verb by first name, the names of its subject (none where the verb stands alone), and what follows. */
export interface GrammarForm {
  readonly verb: string;
  readonly subject: readonly string[];
  readonly argument: GrammarArgument;
  readonly options: readonly GrammarOption[];
  readonly usage: string;
  readonly about: string;
  readonly examples: readonly string[];
}

/** All verbs, in the order of help texts. */
export const VERBS: readonly GrammarVerb[] = [
  {
    "names": [
      "add"
    ],
    "about": "Add clusters, nodes, ports, node images and registries"
  },
  {
    "names": [
      "get"
    ],
    "about": "List clusters, nodes, pods, services, networks, images, registries, clients and usage"
  },
  {
    "names": [
      "load"
    ],
    "about": "Bring images of this host's Docker into clusters"
  },
  {
    "names": [
      "export"
    ],
    "about": "Write kubeconfigs and logs of clusters to your own files"
  },
  {
    "names": [
      "start"
    ],
    "about": "Start clusters and nodes that were stopped"
  },
  {
    "names": [
      "stop"
    ],
    "about": "Stop clusters and nodes, which keep what they hold"
  },
  {
    "names": [
      "delete",
      "del"
    ],
    "about": "Delete clusters, nodes, ports and registries"
  },
  {
    "names": [
      "open"
    ],
    "about": "Open a shell of your own, in a node or in a pod"
  },
  {
    "names": [
      "logs"
    ],
    "about": "Show the log of a pod, or the last lines of the API server's own"
  },
  {
    "names": [
      "test"
    ],
    "about": "Test whether this host can carry clusters"
  },
  {
    "names": [
      "cancel"
    ],
    "about": "Stop a running command and undo what it did"
  },
  {
    "names": [
      "join"
    ],
    "about": "Be told what happens in mirrors"
  },
  {
    "names": [
      "leave"
    ],
    "about": "Be told no longer what happens in mirrors"
  },
  {
    "names": [
      "admit"
    ],
    "about": "Let others into a mirror of yours"
  },
  {
    "names": [
      "version"
    ],
    "about": "Show the versions of CLI, API and Docker"
  }
];

/** All commands, in the order of help texts. */
export const FORMS: readonly GrammarForm[] = [
  {
    "verb": "add",
    "subject": [
      "cluster",
      "clusters"
    ],
    "argument": {
      "take": "some",
      "name": "NAME"
    },
    "options": [
      {
        "short": "i",
        "long": "image",
        "value": "IMAGE",
        "about": "Node image, as kindest/node:v1.37.2"
      },
      {
        "short": "n",
        "long": "nodes",
        "value": "NODES",
        "about": "Number of nodes, the control plane included (default 3)"
      },
      {
        "short": "",
        "long": "control-planes",
        "value": "NODES",
        "about": "How many of them are control planes, behind a balancer: 1, 3, 5 or 7 (default 1)"
      },
      {
        "short": "d",
        "long": "domain",
        "value": "DOMAIN",
        "about": "Domain of the nodes' names (default localhost)"
      },
      {
        "short": "",
        "long": "retain",
        "value": "",
        "about": "Keep what was made when the add fails, for looking"
      },
      {
        "short": "f",
        "long": "file",
        "value": "FILE",
        "about": "Read more from a file, qbo's own or kind's (- for standard input); options win over it"
      },
      {
        "short": "p",
        "long": "port",
        "value": "PORT…",
        "about": "Lead [LISTEN:]HOST:NODE[/tcp|udp|sctp] to the first control plane"
      },
      {
        "short": "",
        "long": "mount",
        "value": "MOUNT…",
        "about": "Let all nodes see HOST:NODE[:ro|rslave|rshared,…], an absolute path of the host at another of the node"
      },
      {
        "short": "",
        "long": "cpus",
        "value": "CPUS",
        "about": "Processors that each node may use, as 1.5"
      },
      {
        "short": "",
        "long": "memory",
        "value": "MEMORY",
        "about": "Memory that each node may use, as 2Gi"
      },
      {
        "short": "",
        "long": "taint",
        "value": "TAINT…",
        "about": "Taint workers: KEY=VALUE:EFFECT"
      },
      {
        "short": "",
        "long": "label",
        "value": "LABEL…",
        "about": "Label workers, or control planes where there are no workers: KEY=VALUE"
      },
      {
        "short": "",
        "long": "feature-gate",
        "value": "GATE…",
        "about": "Turn a feature of Kubernetes on or off: NAME=true"
      },
      {
        "short": "",
        "long": "cni",
        "value": "CNI",
        "about": "What gives pods their network: kindnet, or none until you apply one (default kindnet)"
      },
      {
        "short": "",
        "long": "pod-subnet",
        "value": "SUBNET",
        "about": "Where pods get their addresses from, as 10.244.0.0/16; for both families one of each with a comma"
      },
      {
        "short": "",
        "long": "service-subnet",
        "value": "SUBNET",
        "about": "Where Services get their addresses from, as 10.96.0.0/16"
      },
      {
        "short": "",
        "long": "ip-family",
        "value": "FAMILY",
        "about": "Addresses of pods and Services: ipv4, ipv6 or dual (default ipv4)"
      },
      {
        "short": "",
        "long": "wait",
        "value": "WAIT",
        "about": "Be done when nodes are Ready (nodes), when cluster DNS answers too (dns, the default), or before (none)"
      },
      {
        "short": "",
        "long": "timeout",
        "value": "TIME",
        "about": "Give up and undo all if it takes longer in all, as 5m"
      }
    ],
    "usage": "add cluster NAME… | -f FILE [-i IMAGE] [-n NODES] [--control-planes NODES] [-d DOMAIN] [--retain] [-f FILE] [-p PORT…] [--mount MOUNT…] [--cpus CPUS] [--memory MEMORY] [--taint TAINT…] [--label LABEL…] [--feature-gate GATE…] [--cni CNI] [--pod-subnet SUBNET] [--service-subnet SUBNET] [--ip-family FAMILY] [--wait WAIT] [--timeout TIME]",
    "about": "Make Kubernetes clusters",
    "examples": [
      "add cluster alex",
      "add cluster dev prod -n 1",
      "add cluster alex -i kindest/node:v1.37.2 -n 5",
      "add cluster prod -n 5 --control-planes 3",
      "add cluster dev -p 8080:30080 --mount /srv/data:/data:ro --cpus 2 --memory 4Gi",
      "add cluster alex -f cluster.yaml"
    ]
  },
  {
    "verb": "add",
    "subject": [
      "image",
      "images"
    ],
    "argument": {
      "take": "some",
      "name": "IMAGE"
    },
    "options": [],
    "usage": "add image IMAGE…",
    "about": "Pull node images, or build those named qbo/node:v<Kubernetes>",
    "examples": [
      "add image kindest/node:v1.37.2",
      "add image qbo/node:v1.37.2"
    ]
  },
  {
    "verb": "add",
    "subject": [
      "node",
      "nodes"
    ],
    "argument": {
      "take": "some",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "n",
        "long": "nodes",
        "value": "NODES",
        "about": "Number of new nodes (default 1)"
      },
      {
        "short": "",
        "long": "control-plane",
        "value": "",
        "about": "Control planes instead of workers"
      }
    ],
    "usage": "add node CLUSTER… [-n NODES] [--control-plane]",
    "about": "Bring new nodes into clusters",
    "examples": [
      "add node alex",
      "add node alex -n3"
    ]
  },
  {
    "verb": "add",
    "subject": [
      "port",
      "ports"
    ],
    "argument": {
      "take": "some",
      "name": "CLUSTER PORT"
    },
    "options": [],
    "usage": "add port CLUSTER PORT…",
    "about": "Lead ports of the host into a living cluster: [LISTEN:]HOST:NODE[/tcp|udp|sctp], to the first control plane",
    "examples": [
      "add port alex 8080:30080",
      "add port alex 127.0.0.1:5353:30053/udp"
    ]
  },
  {
    "verb": "add",
    "subject": [
      "registry",
      "registries"
    ],
    "argument": {
      "take": "some",
      "name": "HOST[:PORT]"
    },
    "options": [
      {
        "short": "",
        "long": "at",
        "value": "ADDRESS",
        "about": "Where it is found, as http://10.0.0.7:5000 (default: under its own name, in plain HTTP)"
      }
    ],
    "usage": "add registry HOST[:PORT]… [--at ADDRESS]",
    "about": "Let all clusters, also those to come, pull from registries; one on localhost is the host's",
    "examples": [
      "add registry localhost:5000",
      "add registry docker.io --at http://10.0.0.7:5000"
    ]
  },
  {
    "verb": "load",
    "subject": [
      "image",
      "images"
    ],
    "argument": {
      "take": "some",
      "name": "IMAGE"
    },
    "options": [
      {
        "short": "c",
        "long": "cluster",
        "value": "CLUSTER,…",
        "about": "The clusters whose nodes get it, with commas between; nodes added later do not have it"
      },
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      }
    ],
    "usage": "load image IMAGE… [-c CLUSTER,…] [-A]",
    "about": "Bring images of this host's Docker into all nodes of clusters, without a registry",
    "examples": [
      "load image app:1 -c alex",
      "load image app:1 web:2 -c alex,dev",
      "load image app:1 -A"
    ]
  },
  {
    "verb": "export",
    "subject": [
      "kubeconfig",
      "kubeconfigs"
    ],
    "argument": {
      "take": "someOrAll",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      }
    ],
    "usage": "export kubeconfig CLUSTER… | -A",
    "about": "Merge kubeconfigs into $KUBECONFIG or ~/.kube/config, as contexts qbo-CLUSTER",
    "examples": [
      "export kubeconfig alex",
      "export kubeconfig -A"
    ]
  },
  {
    "verb": "export",
    "subject": [
      "logs",
      "log"
    ],
    "argument": {
      "take": "someOrAll",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "d",
        "long": "directory",
        "value": "DIRECTORY",
        "about": "Where they are written, a directory for each cluster (default qbo-logs)"
      }
    ],
    "usage": "export logs CLUSTER… | -A [-d DIRECTORY]",
    "about": "Write logs of nodes and pods, and what Kubernetes and Docker tell of them, to files here",
    "examples": [
      "export logs alex",
      "export logs alex -d /tmp/logs"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "cluster",
      "clusters"
    ],
    "argument": {
      "take": "anyOrAll",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "k",
        "long": "kubeconfig",
        "value": "",
        "about": "Print the kubeconfig instead"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get cluster [CLUSTER…] [-A] [-k] [-w]",
    "about": "List clusters, or print a cluster's kubeconfig",
    "examples": [
      "get cluster -A",
      "get cluster -k alex"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "nodes",
      "node"
    ],
    "argument": {
      "take": "anyOrAll",
      "name": "CLUSTER|NODE"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get nodes [CLUSTER|NODE…] [-A] [-w]",
    "about": "List nodes",
    "examples": [
      "get nodes alex",
      "get nodes -A",
      "get nodes -w 43706dd0"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "pods",
      "pod"
    ],
    "argument": {
      "take": "anyOrAll",
      "name": "CLUSTER|POD"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get pods [CLUSTER|POD…] [-A] [-w]",
    "about": "List pods",
    "examples": [
      "get pods alex",
      "get pods -A",
      "get pods -w 43706dd0"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "services",
      "service",
      "svc"
    ],
    "argument": {
      "take": "anyOrAll",
      "name": "CLUSTER|SERVICE"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get services [CLUSTER|SERVICE…] [-A] [-w]",
    "about": "List Services, a row for each port",
    "examples": [
      "get svc alex",
      "get svc -A",
      "get svc -w 43706dd0"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "networks",
      "network",
      "net"
    ],
    "argument": {
      "take": "anyOrAll",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "H",
        "long": "host",
        "value": "",
        "about": "The host's networks instead"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get networks [CLUSTER…] [-A] [-H] [-w]",
    "about": "List the networks of clusters, or those of the host",
    "examples": [
      "get net alex",
      "get net -A",
      "get net -H"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "images",
      "image"
    ],
    "argument": {
      "take": "any",
      "name": "IMAGE"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "Those of the registry besides"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get images [IMAGE…] [-A] [-w]",
    "about": "List node images, by name, repository or tag",
    "examples": [
      "get images",
      "get images -A",
      "get images kindest/node -A"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "registries",
      "registry"
    ],
    "argument": {
      "take": "none",
      "name": ""
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get registries [-A] [-w]",
    "about": "List the registries that clusters know besides those of the internet",
    "examples": [
      "get registries"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "clients",
      "client"
    ],
    "argument": {
      "take": "anyOrAll",
      "name": "CLIENT"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get clients [CLIENT…] [-A] [-w]",
    "about": "List who is connected, with what they do, by user, connection or mirror",
    "examples": [
      "get clients -A",
      "get clients alex@example.com"
    ]
  },
  {
    "verb": "get",
    "subject": [
      "usage"
    ],
    "argument": {
      "take": "anyOrAll",
      "name": "CLUSTER|NODE|POD"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      },
      {
        "short": "w",
        "long": "watch",
        "value": "",
        "about": "Go on with what changes, until Ctrl-C"
      }
    ],
    "usage": "get usage [CLUSTER|NODE|POD…] [-A] [-w]",
    "about": "List the CPU and memory that nodes and pods use",
    "examples": [
      "get usage alex",
      "get usage -A",
      "get usage -w alex"
    ]
  },
  {
    "verb": "start",
    "subject": [
      "cluster",
      "clusters"
    ],
    "argument": {
      "take": "someOrAll",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      }
    ],
    "usage": "start cluster CLUSTER… | -A",
    "about": "Start all nodes of clusters, until they are Ready",
    "examples": [
      "start cluster alex",
      "start cluster -A"
    ]
  },
  {
    "verb": "start",
    "subject": [
      "node",
      "nodes"
    ],
    "argument": {
      "take": "someOrAll",
      "name": "NODE"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      }
    ],
    "usage": "start node NODE… | -A",
    "about": "Start nodes, until they are Ready",
    "examples": [
      "start node node-2b251a2c",
      "start node -A"
    ]
  },
  {
    "verb": "stop",
    "subject": [
      "cluster",
      "clusters"
    ],
    "argument": {
      "take": "someOrAll",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      }
    ],
    "usage": "stop cluster CLUSTER… | -A",
    "about": "Stop all nodes of clusters; addresses, certificates and data are kept",
    "examples": [
      "stop cluster alex",
      "stop cluster -A"
    ]
  },
  {
    "verb": "stop",
    "subject": [
      "node",
      "nodes"
    ],
    "argument": {
      "take": "someOrAll",
      "name": "NODE"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      }
    ],
    "usage": "stop node NODE… | -A",
    "about": "Stop nodes; addresses, certificates and data are kept",
    "examples": [
      "stop node node-2b251a2c.localhost",
      "stop node node-123 node-567"
    ]
  },
  {
    "verb": "delete",
    "subject": [
      "cluster",
      "clusters"
    ],
    "argument": {
      "take": "someOrAll",
      "name": "CLUSTER"
    },
    "options": [
      {
        "short": "A",
        "long": "all",
        "value": "",
        "about": "All that you have"
      }
    ],
    "usage": "delete cluster CLUSTER… | -A",
    "about": "Delete clusters with all that belongs to them",
    "examples": [
      "delete cluster alex",
      "delete cluster -A"
    ]
  },
  {
    "verb": "delete",
    "subject": [
      "node",
      "nodes"
    ],
    "argument": {
      "take": "some",
      "name": "NODE"
    },
    "options": [
      {
        "short": "",
        "long": "timeout",
        "value": "TIME",
        "about": "How long disruption budgets may keep their pods, as 90s; then the nodes stay (default 2m)"
      },
      {
        "short": "",
        "long": "force",
        "value": "",
        "about": "Do not wait for their pods to leave"
      }
    ],
    "usage": "delete node NODE… [--timeout TIME] [--force]",
    "about": "Drain nodes, take them out of their clusters and remove them",
    "examples": [
      "delete node node-2b251a2c",
      "delete node node-2b251a2c --timeout 10m"
    ]
  },
  {
    "verb": "delete",
    "subject": [
      "registry",
      "registries"
    ],
    "argument": {
      "take": "some",
      "name": "HOST[:PORT]"
    },
    "options": [],
    "usage": "delete registry HOST[:PORT]…",
    "about": "Have all clusters forget registries",
    "examples": [
      "delete registry localhost:5000"
    ]
  },
  {
    "verb": "delete",
    "subject": [
      "port",
      "ports"
    ],
    "argument": {
      "take": "some",
      "name": "CLUSTER PORT"
    },
    "options": [],
    "usage": "delete port CLUSTER PORT…",
    "about": "Lead ports of the host into a cluster no longer: HOST[/tcp|udp|sctp]",
    "examples": [
      "delete port alex 8080"
    ]
  },
  {
    "verb": "logs",
    "subject": [],
    "argument": {
      "take": "any",
      "name": "POD"
    },
    "options": [
      {
        "short": "n",
        "long": "lines",
        "value": "LINES",
        "about": "How many (default 100)"
      },
      {
        "short": "f",
        "long": "follow",
        "value": "",
        "about": "Go on with what a pod writes, until Ctrl-C"
      },
      {
        "short": "c",
        "long": "container",
        "value": "CONTAINER",
        "about": "Which container (default the first)"
      },
      {
        "short": "",
        "long": "cluster",
        "value": "CLUSTER",
        "about": "Its cluster, where several have such a pod"
      },
      {
        "short": "",
        "long": "namespace",
        "value": "NAMESPACE",
        "about": "Its namespace, where several have such a pod"
      }
    ],
    "usage": "logs [POD…] [-n LINES] [-f] [-c CONTAINER] [--cluster CLUSTER] [--namespace NAMESPACE]",
    "about": "Show the last lines of a pod's log, or of the API server's own",
    "examples": [
      "logs",
      "logs -n 20",
      "logs coredns-5d78c9869d-abcde -f",
      "logs web-0 -c sidecar --cluster alex"
    ]
  },
  {
    "verb": "open",
    "subject": [
      "shell"
    ],
    "argument": {
      "take": "none",
      "name": ""
    },
    "options": [],
    "usage": "open shell",
    "about": "Open a shell in a container of your own, with qbo, kubectl, helm and jq",
    "examples": [
      "open shell"
    ]
  },
  {
    "verb": "open",
    "subject": [
      "node",
      "nodes"
    ],
    "argument": {
      "take": "some",
      "name": "NODE"
    },
    "options": [],
    "usage": "open node NODE…",
    "about": "Open a shell in a node",
    "examples": [
      "open node node-2b251a2c"
    ]
  },
  {
    "verb": "open",
    "subject": [
      "pod",
      "pods"
    ],
    "argument": {
      "take": "some",
      "name": "POD"
    },
    "options": [
      {
        "short": "c",
        "long": "container",
        "value": "CONTAINER",
        "about": "Which container (default the first)"
      },
      {
        "short": "",
        "long": "cluster",
        "value": "CLUSTER",
        "about": "Its cluster, where several have such a pod"
      },
      {
        "short": "",
        "long": "namespace",
        "value": "NAMESPACE",
        "about": "Its namespace, where several have such a pod"
      }
    ],
    "usage": "open pod POD… [-c CONTAINER] [--cluster CLUSTER] [--namespace NAMESPACE]",
    "about": "Open a shell in a pod",
    "examples": [
      "open pod web-0",
      "open pod web-0 -c sidecar --cluster alex --namespace default"
    ]
  },
  {
    "verb": "test",
    "subject": [
      "host"
    ],
    "argument": {
      "take": "none",
      "name": ""
    },
    "options": [],
    "usage": "test host",
    "about": "Check kernel, cgroups, limits, Docker, memory and disk of the host",
    "examples": [
      "test host"
    ]
  },
  {
    "verb": "cancel",
    "subject": [
      "command",
      "commands"
    ],
    "argument": {
      "take": "some",
      "name": "ID"
    },
    "options": [],
    "usage": "cancel command ID…",
    "about": "Stop running commands and undo what they did",
    "examples": [
      "cancel command 7d510d78"
    ]
  },
  {
    "verb": "join",
    "subject": [
      "mirror",
      "mirrors"
    ],
    "argument": {
      "take": "some",
      "name": "UUID"
    },
    "options": [],
    "usage": "join mirror UUID…",
    "about": "Be told what happens in mirrors; who names one first owns it",
    "examples": [
      "join mirror 66fac858-a271-49cf-bad0-fdd9ff0b4787"
    ]
  },
  {
    "verb": "leave",
    "subject": [
      "mirror",
      "mirrors"
    ],
    "argument": {
      "take": "some",
      "name": "UUID"
    },
    "options": [],
    "usage": "leave mirror UUID…",
    "about": "Be told no longer what happens in mirrors",
    "examples": [
      "leave mirror 66fac858-a271-49cf-bad0-fdd9ff0b4787"
    ]
  },
  {
    "verb": "admit",
    "subject": [
      "user",
      "users"
    ],
    "argument": {
      "take": "some",
      "name": "EMAIL"
    },
    "options": [
      {
        "short": "m",
        "long": "mirror",
        "value": "UUID",
        "about": "The mirror, which is yours"
      }
    ],
    "usage": "admit user EMAIL… [-m UUID]",
    "about": "Let others into a mirror of yours",
    "examples": [
      "admit user alex@example.com -m 66fac858-a271-49cf-bad0-fdd9ff0b4787"
    ]
  },
  {
    "verb": "version",
    "subject": [],
    "argument": {
      "take": "none",
      "name": ""
    },
    "options": [],
    "usage": "version",
    "about": "Show the versions of CLI, API and Docker",
    "examples": [
      "version"
    ]
  }
];
