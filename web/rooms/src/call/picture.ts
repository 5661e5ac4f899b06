/** Buddy pictures: 128 by 128 JPEG, cut from the middle of a file or of the camera. */

const SIDE = 128; // pixels, as the old client

export async function pictureFromFile(file: File): Promise<string> {
  const image = await createImageBitmap(file);
  try {
    return square(image, image.width, image.height);
  } finally {
    image.close();
  }
}

export async function pictureFromCamera(track: MediaStreamTrack): Promise<string> {
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = new MediaStream([track]);
  try {
    await video.play();
    return square(video, video.videoWidth, video.videoHeight);
  } finally {
    video.srcObject = null;
  }
}

function square(source: CanvasImageSource, width: number, height: number): string {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const side = Math.min(width, height);
  if (side === 0) return "";
  canvas.getContext("2d")?.drawImage(source, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  return canvas.toDataURL("image/jpeg", 0.85);
}
