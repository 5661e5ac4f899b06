// One end of a call that may only use the relay. What it is asked for comes from the test.

let connection, channel, echoed, stream;

async function gathered() {
  while (connection.iceGatheringState !== "complete") {
    await new Promise((done) => connection.addEventListener("icegatheringstatechange", done, { once: true }));
  }
  return connection.localDescription.toJSON();
}

async function prepare(iceServers) {
  connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
  stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } });
  stream.getTracks().forEach((track) => connection.addTrack(track, stream));
  connection.addEventListener("datachannel", (event) => {
    event.channel.addEventListener("message", (message) => event.channel.send(message.data));
  });
}

async function offer() {
  channel = connection.createDataChannel("echo");
  await connection.setLocalDescription();
  return gathered();
}

async function answer(description) {
  await connection.setRemoteDescription(description);
  await connection.setLocalDescription();
  return gathered();
}

async function accept(description) {
  await connection.setRemoteDescription(description);
}

async function echo(text) {
  if (channel.readyState !== "open") {
    await new Promise((done) => channel.addEventListener("open", done, { once: true }));
  }
  echoed = new Promise((done) => channel.addEventListener("message", (message) => done(message.data), { once: true }));
  channel.send(text);
  return echoed;
}

async function report() {
  const all = [...(await connection.getStats()).values()];
  const video = all.find((one) => one.type === "inbound-rtp" && one.kind === "video");
  const transport = all.find((one) => one.type === "transport");
  const pair = all.find((one) => one.id === transport?.selectedCandidatePairId);
  const kind = (id) => all.find((one) => one.id === id)?.candidateType;
  return {
    frames: video?.framesDecoded ?? 0,
    local: kind(pair?.localCandidateId),
    remote: kind(pair?.remoteCandidateId),
  };
}
