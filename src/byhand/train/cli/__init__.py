"""byhand fit, validate, test and predict on the command line."""
