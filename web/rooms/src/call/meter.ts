/** How loud our own microphone is. */

const LOUD = 0.04; // root mean square; speech at a desk is above, a quiet room below
const HOLD = 800; // ms that talking outlasts the last loud moment

export class Meter {
  private readonly context = new AudioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly samples: Float32Array<ArrayBuffer>;
  private readonly source: MediaStreamAudioSourceNode;
  private loudAt = -Infinity;

  constructor(track: MediaStreamTrack) {
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
  }

  /** 0 to 1; ordinary speech is about a half. */
  level(): number {
    // A page may listen only after its person has touched it.
    if (this.context.state === "suspended" && navigator.userActivation?.hasBeenActive) void this.context.resume();
    this.analyser.getFloatTimeDomainData(this.samples);
    const rms = Math.sqrt(this.samples.reduce((sum, value) => sum + value * value, 0) / this.samples.length);
    if (rms > LOUD) this.loudAt = performance.now();
    return Math.min(1, rms * 5);
  }

  talking(): boolean {
    this.level();
    return performance.now() - this.loudAt < HOLD;
  }

  close(): void {
    this.source.disconnect();
    void this.context.close();
  }
}
