import { pictureFromFile } from "../call/picture";
import { prefer, preferences, type Theme } from "../preferences";
import type { ServerConfig } from "../protocol/rest";
import { AccountSettings } from "./account";
import { DeviceChoice } from "./devices";
import { Dialog } from "./dialog";
import { OwnPicture } from "./ownpicture";
import { Switch } from "./switch";
import { useRoom, useValue } from "./watch";

const THEMES: readonly [Theme, string][] = [
  ["auto", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

export function Settings({ config, close }: { config: ServerConfig; close: () => void }) {
  const room = useRoom();
  const { name, theme, shortcuts, relayOnly, picture } = useValue(preferences);
  const upload = async (file: File | undefined) => {
    if (!file) return;
    const made = await pictureFromFile(file).catch(() => "");
    if (made) prefer({ picture: made });
    else room.tell("That file is no picture.");
  };
  return (
    <Dialog title="Settings" close={close}>
      <fieldset>
        <legend>You</legend>
        <label class="field">
          Name
          <input value={name} maxLength={60} autocomplete="name" placeholder="Guest" onInput={(event) => prefer({ name: event.currentTarget.value })} />
        </label>
        <div class="field-row picture-row">
          <OwnPicture picture={picture} name={name || "You"} />
          <label class="plain button">
            {picture ? "Another picture" : "Choose a picture"}
            <input class="spoken" type="file" accept="image/*" onChange={(event) => void upload(event.currentTarget.files?.[0])} />
          </label>
          {picture && (
            <button type="button" class="quiet" onClick={() => prefer({ picture: "" })}>
              Remove
            </button>
          )}
        </div>
      </fieldset>
      <fieldset>
        <legend>Devices</legend>
        <DeviceChoice kind="audioinput" />
        <DeviceChoice kind="videoinput" />
        <DeviceChoice kind="audiooutput" />
      </fieldset>
      <fieldset>
        <legend>This page</legend>
        <label class="field">
          Appearance
          <select value={theme} onChange={(event) => prefer({ theme: event.currentTarget.value as Theme })}>
            {THEMES.map(([value, label]) => (
              <option value={value}>{label}</option>
            ))}
          </select>
        </label>
        <Switch label="Keyboard shortcuts" hint="M microphone, V camera, S screen, H hand, C chat, P people" on={shortcuts} set={(on) => prefer({ shortcuts: on })} />
        <Switch
          label="Hide my address"
          hint="Calls go through the relay only. From the next call on; without a relay there is no call."
          on={relayOnly}
          set={(on) => prefer({ relayOnly: on })}
        />
      </fieldset>
      {config.usersEnabled && <AccountSettings config={config} />}
    </Dialog>
  );
}
