/** Draws a layout. What is out of sight is passed over, and pods of one look are drawn in one stroke. */

import type { Look, Shape, Tone } from "../ui/state";
import { POD, type Layout, type PlacedCluster, type PlacedNode, type Point, type Target } from "./graphLayout";

export interface Palette {
  readonly ink: string;
  readonly soft: string;
  readonly faint: string;
  readonly line: string;
  readonly surface: string;
  readonly raised: string;
  readonly accent: string;
  readonly tones: Readonly<Record<Tone, string>>;
  readonly font: string;
}

/** From the layout's units to pixels of the canvas. */
export interface Camera {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export interface Frame {
  readonly layout: Layout;
  readonly camera: Camera;
  readonly width: number;
  readonly height: number;
  readonly palette: Palette;
  readonly selected: Target | undefined;
  readonly hovered: Target | undefined;
}

/** Below this many pixels a pod's shape cannot be told, and it is a dot. */
const SMALL = 2.2;

/** Links of a service that are drawn unasked. */
const MANY_LINKS = 60;

/** Scales from which on things have names. */
const NODE_NAMES = 0.55;
const POD_NAMES = 2.6;
const SERVICE_NAMES = 2;

export function paint(context: CanvasRenderingContext2D, frame: Frame): void {
  const { layout, camera, width, height, palette } = frame;
  context.clearRect(0, 0, width, height);
  context.save();
  context.translate(camera.x, camera.y);
  context.scale(camera.scale, camera.scale);
  box(context, layout.x + 4, layout.y + 4, layout.width - 8, layout.height - 8, 14);
  context.lineWidth = 1 / camera.scale;
  context.strokeStyle = palette.line;
  context.stroke();
  // The host's name is of one size wherever there is room for it above the clusters.
  const size = Math.min(24, 11 / Math.min(1, camera.scale));
  text(context, frame, layout.host, layout.x + 22, layout.y + 24, { size, color: palette.soft, weight: 500 });

  const seen = sight(frame);
  for (const placed of layout.clusters) {
    if (!isSeen(seen, placed.x, placed.y, placed.width, placed.height)) continue;
    paintCluster(context, frame, placed, seen);
  }
  context.restore();
}

interface Sight {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What of the layout is in sight. */
function sight({ camera, width, height }: Frame): Sight {
  const left = -camera.x / camera.scale;
  const top = -camera.y / camera.scale;
  return { left, top, right: left + width / camera.scale, bottom: top + height / camera.scale };
}

function isSeen(seen: Sight, x: number, y: number, width: number, height: number): boolean {
  return x < seen.right && x + width > seen.left && y < seen.bottom && y + height > seen.top;
}

function paintCluster(context: CanvasRenderingContext2D, frame: Frame, placed: PlacedCluster, seen: Sight): void {
  const { palette, camera, selected, hovered } = frame;
  const { cluster } = placed;
  const isSelected = selected?.kind === "cluster" && selected.key === cluster.key;
  const isHovered = hovered?.kind === "cluster" && hovered.key === cluster.key;
  box(context, placed.x, placed.y, placed.width, placed.height, 12);
  context.fillStyle = palette.surface;
  context.fill();
  context.lineWidth = (isSelected ? 2.5 : 1.25) / Math.min(1.5, camera.scale);
  context.strokeStyle = isSelected ? palette.accent : isHovered ? palette.soft : palette.line;
  context.stroke();

  // Names of clusters are read from afar too, as far as there is room for them.
  const size = Math.min(30, Math.max(14, 11 / camera.scale));
  shapes(context, cluster.look, [{ x: placed.x + 24, y: placed.y + 24 }], size * 0.43, size / 7, palette);
  const left = placed.x + 30 + size * 0.57;
  const room = placed.width - (left - placed.x) - 12;
  const name = { size, color: palette.ink, weight: 600, room };
  const used = text(context, frame, cluster.name, left, placed.y + 25, name);
  const state = cluster.progress
    ? `${cluster.progress.done}/${cluster.progress.begun} · ${cluster.progress.step}`
    : cluster.look.label;
  if (room - used > 60) {
    const color = cluster.progress ? palette.tones.busy : palette.soft;
    text(context, frame, state, left + 10 + used, placed.y + 25, { size: size * 0.86, color, room: room - used - 10 });
  }
  if (cluster.progress) {
    const whole = placed.width - 24;
    context.fillStyle = palette.line;
    context.fillRect(placed.x + 12, placed.y + 38, whole, 3);
    context.fillStyle = palette.tones.busy;
    context.fillRect(
      placed.x + 12,
      placed.y + 38,
      (whole * cluster.progress.done) / Math.max(1, cluster.progress.begun),
      3,
    );
  }
  paintLinks(context, frame, placed);
  for (const service of placed.services) {
    const isOne = selected?.kind === "service" && selected.key === service.service.key;
    context.beginPath();
    diamond(context, service.x, service.y, 7.5);
    context.fillStyle = palette.raised;
    context.fill();
    context.lineWidth = isOne ? 2.5 : 1.5;
    context.strokeStyle = palette.accent;
    context.stroke();
    if (camera.scale > SERVICE_NAMES) {
      const label = service.service.name.split("/")[1] ?? "";
      text(context, frame, label, service.x, service.y + 12, {
        size: 4,
        color: palette.soft,
        align: "center",
        room: 26,
      });
    }
  }
  for (const node of placed.nodes) {
    const { x, y, radius } = node;
    if (isSeen(seen, x - radius, y - radius, radius * 2, radius * 2 + 24)) paintNode(context, frame, node);
  }
  paintServiceLinks(context, frame, placed);
}

/** Workers to their control plane. */
function paintLinks(context: CanvasRenderingContext2D, frame: Frame, placed: PlacedCluster): void {
  const { palette, camera } = frame;
  const control = placed.nodes.find(({ node }) => node.role === "control");
  if (!control) return;
  context.beginPath();
  for (const { node, x, y } of placed.nodes) {
    if (node.role !== "worker") continue;
    context.moveTo(control.x, control.y);
    context.lineTo(x, y);
  }
  context.lineWidth = 2 / Math.min(1.5, camera.scale);
  context.strokeStyle = palette.line;
  context.stroke();
}

/** Services to their pods, above the nodes that those are on. */
function paintServiceLinks(context: CanvasRenderingContext2D, frame: Frame, placed: PlacedCluster): void {
  const { palette, selected, camera } = frame;
  if (!placed.services.some(({ service }) => service.pods.length > 0)) return;
  const wanted = new Set(placed.services.flatMap(({ service }) => service.pods));
  const places = new Map<string, Point>();
  for (const node of placed.nodes) {
    for (const { pod, x, y } of node.pods) {
      if (wanted.has(pod.key)) places.set(pod.key, { x: node.x + x, y: node.y + y });
    }
  }
  for (const { service, x, y } of placed.services) {
    const isSelected = selected?.kind === "service" && selected.key === service.key;
    // Hundreds of lines tell nothing, but of the one that was asked for.
    if (service.pods.length > MANY_LINKS && !isSelected) continue;
    context.beginPath();
    for (const key of service.pods) {
      const pod = places.get(key);
      if (!pod) continue;
      context.moveTo(x, y + 7.5);
      context.bezierCurveTo(x, y + 40, pod.x, pod.y - 40, pod.x, pod.y);
    }
    context.globalAlpha = isSelected ? 1 : 0.5;
    context.lineWidth = (isSelected ? 1.6 : 0.9) / Math.min(1.2, camera.scale);
    context.strokeStyle = palette.accent;
    context.stroke();
    context.globalAlpha = 1;
  }
}

function paintNode(context: CanvasRenderingContext2D, frame: Frame, placed: PlacedNode): void {
  const { palette, camera, selected, hovered } = frame;
  const { node, x, y, radius } = placed;
  const isSelected = selected?.kind === "node" && selected.key === node.key;
  const isHovered = hovered?.kind === "node" && hovered.key === node.key;
  context.beginPath();
  context.arc(x, y, radius, 0, Math.PI * 2);
  context.fillStyle = palette.raised;
  context.fill();
  context.lineWidth = (isSelected ? 3 : 1.5) / Math.min(1.5, camera.scale);
  context.strokeStyle = isSelected ? palette.accent : isHovered ? palette.soft : palette.tones[node.look.tone];
  if (node.role === "waiting" || node.look.shape === "ring") context.setLineDash([5, 4]);
  // What is well is calm: the eye is to find the rest.
  context.globalAlpha = node.look.tone === "good" && !isSelected && !isHovered ? 0.5 : 1;
  context.stroke();
  context.globalAlpha = 1;
  context.setLineDash([]);

  // The node itself in the middle: a control plane has six corners.
  context.beginPath();
  if (node.role === "control") polygon(context, x, y, 17, 6);
  else if (node.role === "worker") context.arc(x, y, 14, 0, Math.PI * 2);
  context.fillStyle = palette.surface;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = palette.faint;
  context.stroke();
  shapes(context, node.look, [{ x, y }], 6.5, 2.2, palette);

  paintPods(context, frame, placed);
  if (camera.scale >= NODE_NAMES) {
    const label = node.step === "" ? node.short : `${node.short} · ${node.step}`;
    const color = node.step === "" ? palette.soft : palette.tones.busy;
    text(context, frame, label, x, y + radius + 12, { size: 11, color, align: "center", room: radius * 2 + 18 });
  }
}

interface Batch {
  readonly look: Look;
  readonly at: Point[];
}

/** The pods of a node by their looks, as long as they are the same pods in the same places. */
const batches = new WeakMap<PlacedNode["pods"], readonly Batch[]>();

function batchesOf(pods: PlacedNode["pods"]): readonly Batch[] {
  const known = batches.get(pods);
  if (known) return known;
  const made = new Map<string, Batch>();
  for (const { pod, x, y } of pods) {
    const key = pod.look.tone + pod.look.shape;
    const batch = made.get(key);
    if (batch) batch.at.push({ x, y });
    else made.set(key, { look: pod.look, at: [{ x, y }] });
  }
  const all = [...made.values()];
  batches.set(pods, all);
  return all;
}

function paintPods(context: CanvasRenderingContext2D, frame: Frame, placed: PlacedNode): void {
  const { palette, camera, selected } = frame;
  const isSmall = POD * camera.scale < SMALL;
  context.translate(placed.x, placed.y);
  for (const { look, at } of batchesOf(placed.pods)) {
    if (!isSmall) {
      shapes(context, look, at, POD, 1.6, palette);
      continue;
    }
    // Single rectangles are drawn faster than a path of many.
    context.fillStyle = palette.tones[look.tone];
    for (const { x, y } of at) context.fillRect(x - POD * 0.8, y - POD * 0.8, POD * 1.6, POD * 1.6);
  }
  context.translate(-placed.x, -placed.y);
  const named = camera.scale > POD_NAMES;
  for (const { pod, x, y } of named || selected?.kind === "pod" ? placed.pods : []) {
    const at = { x: placed.x + x, y: placed.y + y };
    if (selected?.kind === "pod" && selected.key === pod.key) {
      context.beginPath();
      context.arc(at.x, at.y, POD + 2.5, 0, Math.PI * 2);
      context.lineWidth = 2;
      context.strokeStyle = palette.accent;
      context.stroke();
    }
    if (named) {
      text(context, frame, pod.name, at.x, at.y + POD + 2.6, {
        size: 2.4,
        color: palette.soft,
        align: "center",
        room: 17,
      });
    }
  }
}

/** Adds a shape to the path that is being made. */
function trace(context: CanvasRenderingContext2D, shape: Shape, x: number, y: number, size: number): void {
  switch (shape) {
    case "disc":
      context.moveTo(x + size, y);
      context.arc(x, y, size, 0, Math.PI * 2);
      break;
    case "half":
      context.moveTo(x + size * 0.9, y);
      context.arc(x, y, size * 0.9, 0, Math.PI * 2);
      break;
    case "ring":
      context.moveTo(x + size * 0.85, y);
      context.arc(x, y, size * 0.85, 0, Math.PI * 2);
      break;
    case "triangle":
      context.moveTo(x, y - size);
      context.lineTo(x + size, y + size * 0.8);
      context.lineTo(x - size, y + size * 0.8);
      context.closePath();
      break;
    case "cross":
      context.moveTo(x - size * 0.8, y - size * 0.8);
      context.lineTo(x + size * 0.8, y + size * 0.8);
      context.moveTo(x + size * 0.8, y - size * 0.8);
      context.lineTo(x - size * 0.8, y + size * 0.8);
      break;
    case "square":
      context.rect(x - size * 0.75, y - size * 0.75, size * 1.5, size * 1.5);
      break;
    case "question":
      context.moveTo(x - size * 0.7, y);
      context.lineTo(x + size * 0.7, y);
      break;
  }
}

/** Draws one look at many places, filled or as lines as its shape wants it. */
function shapes(
  context: CanvasRenderingContext2D,
  look: Look,
  at: readonly Point[],
  size: number,
  width: number,
  palette: Palette,
): void {
  context.beginPath();
  for (const { x, y } of at) trace(context, look.shape, x, y, size);
  context.fillStyle = context.strokeStyle = palette.tones[look.tone];
  if (look.shape === "disc" || look.shape === "triangle") {
    context.fill();
    return;
  }
  context.lineWidth = width;
  context.stroke();
  if (look.shape !== "half") return;
  context.beginPath();
  for (const { x, y } of at) {
    context.moveTo(x, y - size);
    context.arc(x, y, size * 0.9, -Math.PI / 2, Math.PI / 2);
    context.closePath();
  }
  context.fill();
}

function box(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  radius: number,
): void {
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
}

function diamond(context: CanvasRenderingContext2D, x: number, y: number, size: number): void {
  polygon(context, x, y, size, 4);
}

function polygon(context: CanvasRenderingContext2D, x: number, y: number, size: number, corners: number): void {
  for (let corner = 0; corner < corners; corner += 1) {
    const turn = (corner / corners) * Math.PI * 2 - Math.PI / 2;
    const [px, py] = [x + Math.cos(turn) * size, y + Math.sin(turn) * size];
    if (corner === 0) context.moveTo(px, py);
    else context.lineTo(px, py);
  }
  context.closePath();
}

interface Style {
  readonly size: number;
  readonly color: string;
  readonly weight?: number;
  readonly align?: CanvasTextAlign;
  /** How wide it may be. */
  readonly room?: number;
}

/** Writes a text, cut to its room; how wide it is. */
function text(
  context: CanvasRenderingContext2D,
  frame: Frame,
  what: string,
  x: number,
  y: number,
  style: Style,
): number {
  // What is smaller than this cannot be read.
  if (style.size * frame.camera.scale < 5) return 0;
  context.font = `${style.weight ?? 400} ${style.size}px ${frame.palette.font}`;
  context.textBaseline = "middle";
  context.textAlign = style.align ?? "left";
  context.fillStyle = style.color;
  const shown = cut(context, what, style.room);
  context.fillText(shown, x, y);
  return context.measureText(shown).width;
}

function cut(context: CanvasRenderingContext2D, what: string, room: number | undefined): string {
  if (room === undefined || context.measureText(what).width <= room) return what;
  let [low, high] = [0, what.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${what.slice(0, middle)}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? "" : `${what.slice(0, low)}…`;
}
