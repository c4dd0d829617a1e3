// Draws what the server sends; asks for the next once it has drawn.
const at = (id) => document.getElementById(id);
const dash = "–";
const number = (value, digits = 1) => (value == null ? dash : Number(value).toFixed(digits).replace("-", "−"));
const known = (value, text) => (value == null ? dash : text);
const liveStates = { Live: "running", Filling: "completing the slice from the files", "No slice": "running without a live slice" };
const outcomes = { success: "complete", abort: "stopped by hand", fail: "failed" };
const sources = { twin: "virtual beamline", replay: "replay of a recording, no dose" };
const barLengths = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const quietSeconds = 20;
let latest = {};
let slice = null;
let planes = {};

function dose(gray) {
  if (gray == null) return dash;
  const [factor, unit] = gray >= 1e6 ? [1e6, "MGy"] : gray >= 1e3 ? [1e3, "kGy"] : gray >= 1 || gray === 0 ? [1, "Gy"] : [1e-3, "mGy"];
  return `${Number((gray / factor).toPrecision(3))} ${unit}`;
}

function percent(part) {
  return `${part < 0.1 ? Number((100 * part).toPrecision(2)) : number(100 * part)} %`;
}

function show(id, text, mood = "") {
  const node = at(id);
  // An alert is read aloud whenever it is written.
  if (node.textContent !== text) node.textContent = text;
  if (node.className !== mood) node.className = mood;
}

function lag(v) {
  if (v.views_waiting == null) return dash;
  const left = v.views_dropped > 0 ? `; ${number(v.views_dropped, 0)} left to the file` : "";
  return `${number(v.views_waiting, 0)} frames${left}`;
}

function paint(canvas, width, height, grey) {
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < grey.length; i++) pixels[i] = 0xff000000 | (grey[i] << 16) | (grey[i] << 8) | grey[i];
  context.putImageData(image, 0, 0);
}

function drawPlane(buffer) {
  const view = new DataView(buffer);
  const width = view.getUint16(0, true), height = view.getUint16(2, true), plane = view.getUint32(24, true);
  const grey = new Uint8Array(buffer, 28);
  if (plane > 0) {
    paint(at(`plane-${plane}`), width, height, grey);
    planes[plane] = { frames: view.getUint32(16, true) };
    return describePlanes();
  }
  slice = { width, low: view.getFloat32(8, true), high: view.getFloat32(12, true), frames: view.getUint32(16, true), row: view.getInt32(20, true) };
  paint(at("slice"), width, height, grey);
  at("empty").hidden = true;
  describeSlice();
}

function where(name) {
  let place = {};
  try { place = JSON.parse(latest.positions?.[name] ?? "{}"); } catch { /* said as nothing */ }
  const um = latest.pixel_um;
  const length = (px) => (um ? `${number(px * um, 0)} µm` : `${number(px, 0)} pixels`);
  if (name === "oblique") return place.normal ? `oblique, through (${place.centre.map((c) => number(c * (um ?? 1), 0)).join(", ")}) ${um ? "µm" : "pixels"}, normal (${place.normal.map((n) => number(n, 2)).join(", ")})` : "";
  const [along, away] = name === "xz" ? ["x and z", "y"] : ["y and z", "x"];
  return place[away] == null ? "" : `${along}, at ${away} = ${length(place[away])}`;
}

function describePlanes() {
  for (const [number_, name] of [[1, "xz"], [2, "yz"], [3, "oblique"]]) {
    const shown = planes[number_];
    show(`about-${number_}`, shown ? `${where(name)}; ${shown.frames} views` : "");
  }
}

function describeSlice() {
  if (!slice) return;
  const um = latest.pixel_um;
  // Attenuation per pixel becomes attenuation per centimetre where the pixel's size is known.
  const [factor, unit, digits] = um ? [1e4 / um, "cm⁻¹", 0] : [1, "per pixel", 4];
  const of = latest.views ? ` of ${latest.views}` : "";
  show("caption", `Detector row ${slice.row}; ${slice.frames}${of} views; attenuation ${number(slice.low * factor, digits)} to ${number(slice.high * factor, digits)} ${unit}`);
  const pixel = um ?? 1;
  const length = barLengths.filter((l) => l <= 0.3 * slice.width * pixel).pop() ?? barLengths[0];
  at("bar").hidden = false;
  at("bar-line").style.width = `${(100 * length) / pixel / slice.width}%`;
  show("bar-text", um ? (length < 1000 ? `${length} µm` : `${length / 1000} mm`) : `${length} pixels`);
}

function forgetSlice() {
  if (!slice && !Object.keys(planes).length) return;
  slice = null;
  planes = {};
  for (const id of ["plane-1", "plane-2", "plane-3"]) at(id).getContext("2d").clearRect(0, 0, at(id).width, at(id).height);
  at("bar").hidden = true;
  at("empty").hidden = false;
  show("caption", "The slice appears with the first projection of a sweep.");
  const canvas = at("slice");
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

function showVerdicts(text, names, signs, notJudged) {
  const body = at("verdicts").tBodies[0];
  let verdicts = [];
  try { verdicts = JSON.parse(text).verdicts ?? []; } catch { /* shown as none */ }
  body.replaceChildren();
  for (const verdict of verdicts) {
    const row = body.insertRow();
    row.insertCell().textContent = names[verdict.metric] ?? verdict.metric;
    row.insertCell().textContent =
      number(verdict.value, Number.isInteger(verdict.value) ? 0 : 3) +
      (verdict.unit ? ` ${signs[verdict.unit] ?? verdict.unit}` : "");
    const judgement = row.insertCell();
    const asked = verdict.judgement !== "unknown" || verdict.value == null || verdict.threshold != null;
    judgement.textContent = asked ? verdict.judgement : notJudged;
    judgement.className = verdict.judgement;
  }
  at("no-verdicts").hidden = verdicts.length > 0;
}

function showScan(v) {
  const fired = v.triggers_latched ?? 0;
  const quiet = v.utc_s - (v.heard_utc_s ?? v.utc_s);
  const silent = v.triggers && !v.exit_status && quiet > quietSeconds;
  at("progress").value = v.triggers ? Math.min(1, fired / v.triggers) : 0;
  if (!v.triggers) return show("progress-text", "No scan yet.");
  const left = v.seconds * (1 - Math.min(1, fired / v.triggers));
  const what = [`${number(v.triggers_latched, 0)} of ${v.triggers} triggers`];
  if (v.exit_status) what.push(outcomes[v.exit_status] ?? v.exit_status);
  else if (silent) what.push(`no news from its session for ${number(quiet, 0)} s`);
  else what.push(liveStates[v.live] ?? "running", `at least ${number(left, 0)} s to go`);
  const mood = v.exit_status === "success" ? "good" : v.exit_status || silent ? "bad" : "";
  show("progress-text", what.join("; "), mood);
  show("end-reason", v.exit_reason ?? "", "bad");
}

function showDose(v) {
  const replay = v.source === "replay";
  const budget = (v.dose_Gy ?? 0) + (v.dose_left_Gy ?? 0);
  const told = v.dose_Gy != null && budget > 0;
  at("dose").hidden = at("dose-list").hidden = replay || !told;
  const none = v.guard == null ? "The guard does not answer." : "No sample has been in the beam yet.";
  show("dose-text", replay ? "None: recorded frames are played back." : told ? "" : none);
  at("dose").value = told ? v.dose_Gy / budget : 0;
  show("dose-received", `${dose(v.dose_Gy)}${told ? `, ${percent(v.dose_Gy / budget)}` : ""}`);
  show("dose-limit", dose(budget));
  show("dose-rate", known(v.dose_rate_Gy_s, `${dose(v.dose_rate_Gy_s)}/s`));
  show("dose-seconds", known(v.seconds_left, `${number(v.seconds_left, 0)} s`));
}

function showValues(v) {
  if (v.scan_uid !== latest.scan_uid) forgetSlice();
  latest = v;
  const name = v.scanned ?? v.sample ?? "";
  show("sample", name);
  document.title = name ? `${name}: voltomo live` : "voltomo live";
  show("source", sources[v.source] ?? "");
  show("uid", (v.scan_uid ?? dash).slice(0, 12));
  showScan(v);
  show("frames", number(v.frames_processed, 0));
  show("lost", number(v.lost_frames, 0), v.lost_frames > 0 ? "warn" : "");
  show("angle", known(v.angle_deg, `${number(v.angle_deg)}°`));
  show("latency", v.latency_p50_ms ? `${number(v.latency_p50_ms, 0)} / ${number(v.latency_p99_ms, 0)} ms` : dash);
  show("lag", lag(v), v.views_dropped > 0 ? "warn" : "");
  showDose(v);
  show("shutter", v.shutter ?? "does not answer", v.shutter === "Fault" || v.shutter == null ? "bad" : "");
  const only = v.software_guard_only ? ", software guard only" : "";
  show("guard", v.guard ? v.guard + only : "does not answer", v.guard === "Latched" || v.guard == null ? "bad" : "");
  show("ring", known(v.ring_current_mA, `${number(v.ring_current_mA)} mA`));
  show("reason", v.guard_reason ?? "", v.guard === "Latched" ? "bad" : "warn");
  showVerdicts(v.verdicts ?? "{}", v.metric_names, v.unit_signs, v.not_judged);
  const none = v.live === "No slice";
  show("empty", none ? "This scan has no live slice." : "No slice yet.");
  show("no-verdicts", none ? `None: ${v.live_reason ?? ""}` : "None yet.");
  describeSlice();
  describePlanes();
}

function connect() {
  const socket = new WebSocket(`ws://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { show("link", "live", "good"); document.querySelector("main").className = ""; };
  socket.onmessage = (event) => {
    if (typeof event.data === "string") { showValues(JSON.parse(event.data)); socket.send("next"); }
    else drawPlane(event.data);
  };
  socket.onclose = () => { show("link", "connection lost; trying again", "bad"); document.querySelector("main").className = "stale"; setTimeout(connect, 1000); };
}
connect();
