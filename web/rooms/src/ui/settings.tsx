import { prefer, preferences, type Theme } from "../preferences";
import type { ServerConfig } from "../protocol/rest";
import { AccountSettings } from "./account";
import { DeviceChoice } from "./devices";
import { Dialog } from "./dialog";
import { PictureChoice } from "./picturechoice";
import { Switch } from "./switch";
import { useValue } from "./watch";

const THEMES: readonly [Theme, string][] = [
  ["auto", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

export function Settings({ config, close }: { config: ServerConfig; close: () => void }) {
  const { name, theme, shortcuts, relayOnly } = useValue(preferences);
  return (
    <Dialog title="Settings" close={close}>
      <fieldset>
        <legend>You</legend>
        <label class="field">
          Name
          <input value={name} maxLength={60} autocomplete="name" placeholder="Guest" onInput={(event) => prefer({ name: event.currentTarget.value })} />
        </label>
        <PictureChoice />
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
