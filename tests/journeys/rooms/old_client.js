// What a client of Spreed WebRTC does, as far as calls go: it knows no extension, and rings.
([name, room]) => {
  const socket = new WebSocket(`ws://${location.host}/ws`);
  const client = { id: "", users: new Map(), states: [], texts: [], frames: 0 };
  let call;
  const send = (type, body) => socket.send(JSON.stringify({ Type: type, [type]: { Type: type, ...body } }));

  const connect = (to) => {
    const peer = new RTCPeerConnection();
    peer.onicecandidate = ({ candidate }) => {
      if (!candidate) return;
      const { sdpMLineIndex, sdpMid, candidate: text } = candidate;
      send("Candidate", { To: to, Candidate: { type: "candidate", sdpMLineIndex, sdpMid, candidate: text } });
    };
    peer.onconnectionstatechange = () => client.states.push(peer.connectionState);
    peer.ondatachannel = ({ channel }) => (channel.onmessage = ({ data }) => client.texts.push(data));
    peer.ontrack = ({ track, streams }) => {
      if (track.kind !== "video") return;
      client.video = document.createElement("video");
      client.video.muted = true;
      client.video.srcObject = streams[0] ?? new MediaStream([track]);
      void client.video.play();
    };
    return peer;
  };
  const media = navigator.mediaDevices.getUserMedia({ audio: true, video: true });

  client.ring = async (to) => {
    call = connect(to);
    const channel = call.createDataChannel("default", { ordered: true });
    channel.onopen = () => channel.send(JSON.stringify({ Type: "Chat", Chat: { To: to, Type: "Chat", Chat: { Message: "over the channel" } } }));
    channel.onmessage = ({ data }) => client.texts.push(data);
    const stream = await media;
    for (const track of stream.getTracks()) call.addTrack(track, stream);
    const offer = await call.createOffer();
    await call.setLocalDescription(offer);
    send("Offer", { To: to, Offer: { type: "offer", sdp: offer.sdp } });
  };

  socket.onmessage = async ({ data }) => {
    const { Data: document, From: from } = JSON.parse(data);
    switch (document.Type) {
      case "Self":
        client.id = document.Id;
        send("Status", { Status: { displayName: name, buddyPicture: "", message: null } });
        socket.send(JSON.stringify({ Type: "Hello", Hello: { Version: "0.29.7", Ua: "Chrome 57", Name: room, Type: "" } }));
        break;
      case "Welcome":
        for (const user of document.Users) client.users.set(user.Id, user);
        client.inside = true;
        break;
      case "Offer": {
        call = connect(from);
        await call.setRemoteDescription(document.Offer);
        const stream = await media;
        for (const track of stream.getTracks()) call.addTrack(track, stream);
        const answer = await call.createAnswer();
        await call.setLocalDescription(answer);
        send("Answer", { To: from, Answer: { type: "answer", sdp: answer.sdp } });
        break;
      }
      case "Answer":
        await call.setRemoteDescription(document.Answer);
        break;
      case "Candidate":
        await call?.addIceCandidate(document.Candidate);
        break;
      case "Bye":
        client.bye = document.Bye ?? {};
        break;
    }
  };
  window.old = client;
}
