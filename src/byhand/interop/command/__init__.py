"""byhand convert: a recurrent layer out of one file into another framework's."""
