"""Parts of byhand.export_onnx: what ONNX's operators hold, the Scan of any other cell, and the layers of a model as nodes."""
