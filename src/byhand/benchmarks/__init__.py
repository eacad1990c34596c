"""byhand bench: what byhand costs, against torch's layers, other compilers, and itself."""
