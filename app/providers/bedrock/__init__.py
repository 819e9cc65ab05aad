"""AWS Bedrock, in its own dialect: the Converse API, with its binary event streams and signed requests."""
