"""The configuration of a path: every field of seed 002's PathConf, in its order.

Defaults are those of MediaMTX 1.12.3 (media.md 2.7). The words of the
rpiCamera fields are checked in rules.py, and only where a path has that source.
"""

from __future__ import annotations

from headgate.core.config.choices import PullTransport, RecordFormat, RtspRangeType
from headgate.core.config.durations import Duration
from headgate.core.config.scalars import Natural, Real, Switch
from headgate.core.config.section import Section, key

__all__ = ["PUBLISHER", "REDIRECT", "RPI_CAMERA", "PathConf"]

PUBLISHER = "publisher"
REDIRECT = "redirect"
RPI_CAMERA = "rpiCamera"


class PathConf(Section):
    name: str = key("name", "the key under paths; what is written here is not used", default="")

    # General
    source: str = key(
        "source", "who feeds the path: publisher, redirect, rpiCamera or a URL", default=PUBLISHER
    )
    source_fingerprint: str = key("sourceFingerprint", "SHA-256 of the source's certificate", default="")
    source_on_demand: Switch = key("sourceOnDemand", "pull only while there are readers", default=False)
    source_on_demand_start_timeout: Duration = key(
        "sourceOnDemandStartTimeout", "readers wait so long for the source", default=10.0
    )
    source_on_demand_close_after: Duration = key(
        "sourceOnDemandCloseAfter", "leave the source so long after the last reader", default=10.0
    )
    max_readers: Natural = key("maxReaders", "most readers at once; 0: no limit", default=0)
    srt_read_passphrase: str = key("srtReadPassphrase", "SRT readers must know it", default="")
    fallback: str = key(
        "fallback", "where readers are sent while nobody publishes: a URL or /path", default=""
    )
    use_absolute_timestamp: Switch = key("useAbsoluteTimestamp", "keep the sender's clock", default=False)

    # Recording
    record: Switch = key("record", "record the stream", default=False)
    record_path: str = key(
        "recordPath", "files; the extension is added", default="./recordings/%path/%Y-%m-%d_%H-%M-%S-%f"
    )
    record_format: RecordFormat = key("recordFormat", "container", default=RecordFormat.FMP4)
    record_part_duration: Duration = key("recordPartDuration", "what a crash may cost", default=1.0)
    record_segment_duration: Duration = key("recordSegmentDuration", "least length of a file", default=3600.0)
    record_delete_after: Duration = key(
        "recordDeleteAfter", "age at which a file is deleted; 0: never", default=86400.0
    )

    # Publisher
    override_publisher: Switch = key(
        "overridePublisher", "a new publisher replaces the old one", default=True
    )
    srt_publish_passphrase: str = key("srtPublishPassphrase", "SRT publishers must know it", default="")

    # RTSP source
    rtsp_transport: PullTransport = key("rtspTransport", "how to carry RTP", default=PullTransport.AUTOMATIC)
    rtsp_any_port: Switch = key("rtspAnyPort", "take RTP from any port of the source", default=False)
    rtsp_range_type: RtspRangeType = key(
        "rtspRangeType", "kind of the Range asked for", default=RtspRangeType.NONE
    )
    rtsp_range_start: str = key("rtspRangeStart", "its start", default="")

    # Redirect source
    source_redirect: str = key("sourceRedirect", "where readers are sent: a URL or /path", default="")

    # Raspberry Pi camera source
    rpi_camera_cam_id: Natural = key("rpiCameraCamID", "number of the camera", default=0)
    rpi_camera_secondary: Switch = key(
        "rpiCameraSecondary", "second stream of another path's camera", default=False
    )
    rpi_camera_width: Natural = key("rpiCameraWidth", "pixels", default=1920)
    rpi_camera_height: Natural = key("rpiCameraHeight", "pixels", default=1080)
    rpi_camera_h_flip: Switch = key("rpiCameraHFlip", "mirror left and right", default=False)
    rpi_camera_v_flip: Switch = key("rpiCameraVFlip", "turn upside down", default=False)
    rpi_camera_brightness: Real = key("rpiCameraBrightness", "-1 to 1", default=0.0)
    rpi_camera_contrast: Real = key("rpiCameraContrast", "0 to 16", default=1.0)
    rpi_camera_saturation: Real = key("rpiCameraSaturation", "0 to 16", default=1.0)
    rpi_camera_sharpness: Real = key("rpiCameraSharpness", "0 to 16", default=1.0)
    rpi_camera_exposure: str = key("rpiCameraExposure", "normal, short, long or custom", default="normal")
    rpi_camera_awb: str = key("rpiCameraAWB", "white balance", default="auto")
    rpi_camera_awb_gains: tuple[Real, ...] = key(
        "rpiCameraAWBGains", "its red and blue gain", default=(0.0, 0.0)
    )
    rpi_camera_denoise: str = key("rpiCameraDenoise", "off, cdn_off, cdn_fast or cdn_hq", default="off")
    rpi_camera_shutter: Natural = key("rpiCameraShutter", "microseconds; 0: automatic", default=0)
    rpi_camera_metering: str = key("rpiCameraMetering", "centre, spot, matrix or custom", default="centre")
    rpi_camera_gain: Real = key("rpiCameraGain", "0: automatic", default=0.0)
    rpi_camera_ev: Real = key("rpiCameraEV", "exposure compensation, -10 to 10", default=0.0)
    rpi_camera_roi: str = key("rpiCameraROI", "part of the picture, x,y,w,h from 0 to 1", default="")
    rpi_camera_hdr: Switch = key("rpiCameraHDR", "high dynamic range", default=False)
    rpi_camera_tuning_file: str = key("rpiCameraTuningFile", "tuning file", default="")
    rpi_camera_mode: str = key("rpiCameraMode", "sensor mode, width:height:bits:packing", default="")
    rpi_camera_fps: Real = key("rpiCameraFPS", "pictures per second", default=30.0)
    rpi_camera_af_mode: str = key(
        "rpiCameraAfMode", "focus: auto, manual or continuous", default="continuous"
    )
    rpi_camera_af_range: str = key("rpiCameraAfRange", "focus: normal, macro or full", default="normal")
    rpi_camera_af_speed: str = key("rpiCameraAfSpeed", "focus: normal or fast", default="normal")
    rpi_camera_lens_position: Real = key("rpiCameraLensPosition", "manual focus, dioptres", default=0.0)
    rpi_camera_af_window: str = key("rpiCameraAfWindow", "focus window, x,y,w,h from 0 to 1", default="")
    rpi_camera_flicker_period: Natural = key("rpiCameraFlickerPeriod", "microseconds; 0: off", default=0)
    rpi_camera_text_overlay_enable: Switch = key(
        "rpiCameraTextOverlayEnable", "print text on pictures", default=False
    )
    rpi_camera_text_overlay: str = key(
        "rpiCameraTextOverlay", "that text", default="%Y-%m-%d %H:%M:%S - MediaMTX"
    )
    rpi_camera_codec: str = key("rpiCameraCodec", "auto, hardwareH264, softwareH264 or mjpeg", default="auto")
    rpi_camera_idr_period: Natural = key("rpiCameraIDRPeriod", "pictures between key frames", default=60)
    rpi_camera_bitrate: Natural = key("rpiCameraBitrate", "bits per second", default=5_000_000)
    rpi_camera_profile: str = key("rpiCameraProfile", "H.264 profile", default="main")
    rpi_camera_level: str = key("rpiCameraLevel", "H.264 level", default="4.1")
    rpi_camera_jpeg_quality: Natural = key("rpiCameraJPEGQuality", "0 to 100", default=60)

    # Hooks
    run_on_init: str = key("runOnInit", "command run while the path is configured", default="")
    run_on_init_restart: Switch = key("runOnInitRestart", "start it again when it ends", default=False)
    run_on_demand: str = key("runOnDemand", "command that publishes while there are readers", default="")
    run_on_demand_restart: Switch = key("runOnDemandRestart", "start it again when it ends", default=False)
    run_on_demand_start_timeout: Duration = key(
        "runOnDemandStartTimeout", "readers wait so long for it", default=10.0
    )
    run_on_demand_close_after: Duration = key(
        "runOnDemandCloseAfter", "end it so long after the last reader", default=10.0
    )
    run_on_un_demand: str = key("runOnUnDemand", "command run when there are no readers any more", default="")
    run_on_ready: str = key("runOnReady", "command run while the stream is there", default="")
    run_on_ready_restart: Switch = key("runOnReadyRestart", "start it again when it ends", default=False)
    run_on_not_ready: str = key("runOnNotReady", "command run when the stream is gone", default="")
    run_on_read: str = key("runOnRead", "command run while a client reads", default="")
    run_on_read_restart: Switch = key("runOnReadRestart", "start it again when it ends", default=False)
    run_on_unread: str = key("runOnUnread", "command run when a client stops reading", default="")
    run_on_record_segment_create: str = key(
        "runOnRecordSegmentCreate", "command run for a new file", default=""
    )
    run_on_record_segment_complete: str = key(
        "runOnRecordSegmentComplete", "command run for a finished file", default=""
    )

    # Not in MediaMTX
    publisher_grace_period: Duration = key(
        "publisherGracePeriod",
        "readers of a publisher that left wait so long for it to come back; 0: they end at once",
        default=0.0,
    )
