"""ONNX models, opened: every LSTM, GRU and RNN in them a byhand layer, the rest run by onnxruntime."""
