/** The ways through the network that the server offers. */

import type { Incoming } from "../protocol/documents";

/** `relayOnly` hides our address: what cannot be relayed does not connect. */
export function ways(self: Extract<Incoming, { type: "Self" }>, options: { relayOnly: boolean }): RTCConfiguration {
  const { turn, stun } = self;
  const servers: RTCIceServer[] = [];
  if (stun.length > 0) servers.push({ urls: stun });
  if (turn.urls.length > 0) servers.push({ urls: turn.urls, username: turn.username, credential: turn.password });
  return { iceServers: servers, iceTransportPolicy: options.relayOnly ? "relay" : "all" };
}

/** When to ask for new credentials, ms from now; undefined: there are none. */
export function renewal(self: Extract<Incoming, { type: "Self" }>): number | undefined {
  return self.turn.ttl > 0 ? self.turn.ttl * 900 : undefined; // 90 % of their life
}
