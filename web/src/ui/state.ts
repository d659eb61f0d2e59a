/** States of objects: how each looks. A shape of its own and a colour, so that neither alone must tell it. */

import type { Pod } from "../api/message";

export type Tone = "good" | "busy" | "bad" | "idle";
export type Shape = "disc" | "half" | "triangle" | "cross" | "square" | "ring" | "question";

export interface Look {
  readonly tone: Tone;
  readonly shape: Shape;
  /** For people. */
  readonly label: string;
}

const LOOKS: Readonly<Record<string, Look>> = {
  ready: { tone: "good", shape: "disc", label: "ready" },
  creating: { tone: "busy", shape: "half", label: "creating" },
  starting: { tone: "busy", shape: "half", label: "starting" },
  stopping: { tone: "busy", shape: "ring", label: "stopping" },
  deleting: { tone: "busy", shape: "ring", label: "deleting" },
  not_ready: { tone: "bad", shape: "triangle", label: "not ready" },
  error: { tone: "bad", shape: "cross", label: "error" },
  stopped: { tone: "idle", shape: "square", label: "stopped" },
  deleted: { tone: "idle", shape: "ring", label: "deleted" },
  unknown: { tone: "idle", shape: "question", label: "unknown" },
  // Interfaces of the host.
  up: { tone: "good", shape: "disc", label: "up" },
  down: { tone: "idle", shape: "square", label: "down" },
};

const PODS: Readonly<Record<string, Look>> = {
  Running: { tone: "good", shape: "disc", label: "Running" },
  Succeeded: { tone: "idle", shape: "square", label: "Succeeded" },
  Completed: { tone: "idle", shape: "square", label: "Completed" },
  Pending: { tone: "busy", shape: "half", label: "Pending" },
  ContainerCreating: { tone: "busy", shape: "half", label: "ContainerCreating" },
  PodInitializing: { tone: "busy", shape: "half", label: "PodInitializing" },
  Terminating: { tone: "busy", shape: "ring", label: "Terminating" },
  Unknown: { tone: "idle", shape: "question", label: "Unknown" },
};

export function lookOf(state: string): Look {
  return LOOKS[state] ?? { tone: "idle", shape: "question", label: state.replaceAll("_", " ") };
}

export function lookOfPod(pod: Pod): Look {
  const look = PODS[pod.status] ?? podTrouble(pod.status);
  // It runs, but not all of it is ready.
  if (pod.status === "Running" && pod.ready < pod.started) return { tone: "busy", shape: "half", label: pod.status };
  return look;
}

function podTrouble(status: string): Look {
  if (status.startsWith("Init:") && !status.includes("Error")) return { tone: "busy", shape: "half", label: status };
  return { tone: "bad", shape: "cross", label: status };
}

export type Level = "in" | "out" | "fail";

/** The tone of a status code. */
export function toneOfCode(code: number): Tone {
  if (code >= 400) return "bad";
  return code === 200 ? "good" : code === 202 ? "idle" : "busy";
}
