/** Messages for tests. */

import type { Envelope, Message, Payload } from "$contract/qbo";

export const OWN = "11111111-0000-4000-8000-000000000000";

export function message(payload: Payload, envelope: Partial<Envelope> = {}): Message {
  return {
    timestamp: "2026-03-01T12:00:01.234567Z",
    status: "Created",
    code: 201,
    command_id: "7d510d78-7444-4252-aeac-9e473949661e",
    command_line: "qbo get nodes -A",
    command: "CMD_GET",
    subcommand: "SUBCMD_NODE",
    apicommand: "APICMD_NONE",
    callback: "",
    uuid: OWN,
    user: "alex@example.com",
    agent: "qbo-api/0.1.0",
    peer: "",
    host: "cloud",
    source: "",
    wsi: "w",
    thread_id: 1,
    vhost: "",
    ...envelope,
    ...payload,
  };
}

/** A change that no command asked for. */
export function changed(payload: Payload, change: "put" | "delete" | "snapshot", sequence: number): Message {
  const command_id = "00000000-0000-0000-0000-000000000000";
  return message(payload, { change, sequence, command_id, command_line: "", command: "CMD_NONE", wsi: "" });
}

export function node(name: string, state: "ready" | "creating" | "not_ready" = "ready") {
  return {
    name: `${name}.localhost`,
    id: `id-${name}`,
    image: "qbo/node:v1.37.2",
    cluster: "alex",
    state,
    address: "10.201.0.2",
    os: "Debian GNU/Linux 12 (bookworm)",
    kernel: "6.1.0",
    user: "alex@example.com",
    cluster_id: "c1",
  };
}

export function pod(name: string, on: string, status = "Running") {
  return {
    name,
    id: `id-${name}`,
    namespace: "default",
    address: "10.244.0.2",
    status,
    ready: 1,
    started: 1,
    node: on === "" ? "" : `${on}.localhost`,
    node_status: "ready",
    cluster: "alex",
    user: "alex@example.com",
    cluster_id: "c1",
  };
}

export function cluster(name: string, id = "c1") {
  return { address: "", control_plane: "", id, name, state: "ready" as const, user: "alex@example.com" };
}
