// Draws what the server sends; asks for the next once it has drawn.
const at = (id) => document.getElementById(id);
const number = (value, digits = 1) => (value == null ? "–" : Number(value).toFixed(digits));
const dose = (gray) => (gray == null ? "–" : gray >= 1e6 ? `${number(gray / 1e6, 2)} MGy` : gray >= 1e3 ? `${number(gray / 1e3, 1)} kGy` : `${number(gray, 1)} Gy`);
const metricNames = { lost_frames: "lost frames", mean_transmission: "mean transmission", snr: "signal to noise" };

function drawSlice(buffer) {
  const view = new DataView(buffer);
  const width = view.getUint16(0, true), height = view.getUint16(2, true);
  const trigger = view.getInt32(4, true), low = view.getFloat32(8, true), high = view.getFloat32(12, true);
  const frames = view.getUint32(16, true);
  const grey = new Uint8Array(buffer, 20);
  const canvas = at("slice");
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < grey.length; i++) pixels[i] = 0xff000000 | (grey[i] << 16) | (grey[i] << 8) | grey[i];
  context.putImageData(image, 0, 0);
  at("caption").textContent = `Slice from ${frames} views, up to trigger ${trigger}; grey from ${number(low, 4)} to ${number(high, 4)} per pixel`;
}

function showVerdicts(text) {
  const body = at("verdicts").tBodies[0];
  body.replaceChildren();
  let verdicts = [];
  try { verdicts = JSON.parse(text).verdicts ?? []; } catch { return; }
  for (const verdict of verdicts) {
    const row = body.insertRow();
    row.insertCell().textContent = metricNames[verdict.metric] ?? verdict.metric;
    row.insertCell().textContent = number(verdict.value, Number.isInteger(verdict.value) ? 0 : 3);
    const judgement = row.insertCell();
    judgement.textContent = verdict.judgement;
    judgement.className = verdict.judgement;
  }
}

function show(id, text, mood = "") {
  at(id).textContent = text;
  at(id).className = mood;
}

function scanText(v) {
  if (!v.triggers) return "No scan yet.";
  const what = v.exit_status ? `ended: ${v.exit_status}` : (v.live ?? "").toLowerCase();
  return `${number(v.triggers_latched, 0)} of ${v.triggers} triggers${what ? `; ${what}` : ""}`;
}

function showValues(v) {
  const known = (value, text) => (value == null ? "–" : text);
  show("sample", v.sample ?? "");
  at("progress").value = v.triggers ? Math.min(1, (v.triggers_latched ?? 0) / v.triggers) : 0;
  show("progress-text", scanText(v));
  show("frames", number(v.frames_processed, 0));
  show("lost", number(v.lost_frames, 0), v.lost_frames > 0 ? "bad" : "");
  show("angle", known(v.angle_deg, `${number(v.angle_deg)}°`));
  show("latency", known(v.latency_p50_ms, `${number(v.latency_p50_ms, 0)} and ${number(v.latency_p99_ms, 0)} ms`));
  const budget = (v.dose_Gy ?? 0) + (v.dose_left_Gy ?? 0);
  at("dose").value = budget > 0 ? v.dose_Gy / budget : 0;
  const left = v.seconds_left == null ? "" : `; ${number(v.seconds_left, 0)} s of beam left`;
  show("dose-text", known(v.dose_Gy, `${dose(v.dose_Gy)} of ${dose(budget)}; ${dose(v.dose_rate_Gy_s)}/s${left}`));
  show("shutter", v.shutter ?? "unknown", v.shutter === "Fault" || v.shutter == null ? "bad" : "");
  show("guard", v.guard ?? "unknown", v.guard === "Latched" || v.guard == null ? "bad" : "");
  show("ring", known(v.ring_current_mA, `${number(v.ring_current_mA)} mA`));
  const reason = v.guard === "Latched" ? (v.guard_reason ?? "") : "";
  if (at("reason").textContent !== reason) at("reason").textContent = reason;
  showVerdicts(v.verdicts ?? "{}");
}

function connect() {
  const socket = new WebSocket(`ws://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { at("link").textContent = "live"; at("link").className = "good"; document.querySelector("main").className = ""; };
  socket.onmessage = (event) => {
    if (typeof event.data === "string") { showValues(JSON.parse(event.data)); socket.send("next"); }
    else drawSlice(event.data);
  };
  socket.onclose = () => { at("link").textContent = "connection lost; trying again"; at("link").className = "bad"; document.querySelector("main").className = "stale"; setTimeout(connect, 1000); };
}
connect();
