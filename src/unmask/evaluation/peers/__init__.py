"""Other people's detectors on the same media. Importing this files every adapter by name."""

from unmask.evaluation.peers import command, mesonet, onnx
from unmask.evaluation.peers.imports import ImportedScore, read_scores
from unmask.evaluation.peers.peer import PEERS, THRESHOLD, Judged, JudgedFace, Peer, open_peer
from unmask.evaluation.peers.scanned import ScannedPeer

__all__ = [
    "PEERS",
    "THRESHOLD",
    "ImportedScore",
    "Judged",
    "JudgedFace",
    "Peer",
    "ScannedPeer",
    "command",
    "mesonet",
    "onnx",
    "open_peer",
    "read_scores",
]
