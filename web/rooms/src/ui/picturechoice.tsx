import { pictureFromCamera, pictureFromFile } from "../call/picture";
import { prefer, preferences } from "../preferences";
import { OwnPicture } from "./ownpicture";
import { useRoom, useValue } from "./watch";

/** The picture that others see beside our name, and instead of the camera's. */
export function PictureChoice() {
  const room = useRoom();
  const { picture } = useValue(preferences);
  const { video } = useValue(room.media.state);
  const take = async (made: Promise<string>) => {
    const next = await made.catch(() => "");
    if (next) prefer({ picture: next });
    else room.tell("That is no picture this browser can read.");
  };
  return (
    <div class="field-row picture-row">
      <OwnPicture />
      <label class="plain button">
        {picture ? "Another picture" : "Choose a picture"}
        <input
          class="spoken"
          type="file"
          accept="image/*"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = ""; // the same file may be chosen again
            if (file) void take(pictureFromFile(file));
          }}
        />
      </label>
      {video && (
        <button type="button" class="plain" onClick={() => void take(pictureFromCamera(video))}>
          Take one
        </button>
      )}
      {picture && (
        <button type="button" class="quiet" onClick={() => prefer({ picture: "" })}>
          Remove
        </button>
      )}
    </div>
  );
}
