"""What templates are given: made from rows by pure functions, every sentence ready to be read."""
