"""The keys, their order and their defaults; checked against a stock mediamtx.yml of release 1.12.3."""

from __future__ import annotations

from headgate.core.config import PathConf

DOCUMENT = {
    "name": "",
    "source": "publisher",
    "sourceFingerprint": "",
    "sourceOnDemand": False,
    "sourceOnDemandStartTimeout": "10s",
    "sourceOnDemandCloseAfter": "10s",
    "maxReaders": 0,
    "srtReadPassphrase": "",
    "fallback": "",
    "useAbsoluteTimestamp": False,
    "record": False,
    "recordPath": "./recordings/%path/%Y-%m-%d_%H-%M-%S-%f",
    "recordFormat": "fmp4",
    "recordPartDuration": "1s",
    "recordSegmentDuration": "1h0m0s",
    "recordDeleteAfter": "1d",
    "overridePublisher": True,
    "srtPublishPassphrase": "",
    "rtspTransport": "automatic",
    "rtspAnyPort": False,
    "rtspRangeType": "",
    "rtspRangeStart": "",
    "sourceRedirect": "",
    "rpiCameraCamID": 0,
    "rpiCameraSecondary": False,
    "rpiCameraWidth": 1920,
    "rpiCameraHeight": 1080,
    "rpiCameraHFlip": False,
    "rpiCameraVFlip": False,
    "rpiCameraBrightness": 0,
    "rpiCameraContrast": 1,
    "rpiCameraSaturation": 1,
    "rpiCameraSharpness": 1,
    "rpiCameraExposure": "normal",
    "rpiCameraAWB": "auto",
    "rpiCameraAWBGains": [0, 0],
    "rpiCameraDenoise": "off",
    "rpiCameraShutter": 0,
    "rpiCameraMetering": "centre",
    "rpiCameraGain": 0,
    "rpiCameraEV": 0,
    "rpiCameraROI": "",
    "rpiCameraHDR": False,
    "rpiCameraTuningFile": "",
    "rpiCameraMode": "",
    "rpiCameraFPS": 30,
    "rpiCameraAfMode": "continuous",
    "rpiCameraAfRange": "normal",
    "rpiCameraAfSpeed": "normal",
    "rpiCameraLensPosition": 0,
    "rpiCameraAfWindow": "",
    "rpiCameraFlickerPeriod": 0,
    "rpiCameraTextOverlayEnable": False,
    "rpiCameraTextOverlay": "%Y-%m-%d %H:%M:%S - MediaMTX",
    "rpiCameraCodec": "auto",
    "rpiCameraIDRPeriod": 60,
    "rpiCameraBitrate": 5000000,
    "rpiCameraProfile": "main",
    "rpiCameraLevel": "4.1",
    "rpiCameraJPEGQuality": 60,
    "runOnInit": "",
    "runOnInitRestart": False,
    "runOnDemand": "",
    "runOnDemandRestart": False,
    "runOnDemandStartTimeout": "10s",
    "runOnDemandCloseAfter": "10s",
    "runOnUnDemand": "",
    "runOnReady": "",
    "runOnReadyRestart": False,
    "runOnNotReady": "",
    "runOnRead": "",
    "runOnReadRestart": False,
    "runOnUnread": "",
    "runOnRecordSegmentCreate": "",
    "runOnRecordSegmentComplete": "",
    "publisherGracePeriod": "",
}


def test_every_key_in_order_with_its_default() -> None:
    document = PathConf().document()
    assert list(document) == list(DOCUMENT)
    assert len(document) == 75 + 1
    assert document == DOCUMENT


def test_zero_prints_as_an_empty_text() -> None:
    assert PathConf(record_delete_after=0).document()["recordDeleteAfter"] == ""


def test_a_document_reads_back_as_the_same_configuration() -> None:
    conf = PathConf(name="x", record_delete_after=0, rpi_camera_awb_gains=(1.5, 2), max_readers=3)
    assert PathConf.model_validate(conf.document()) == conf
