"""Milepost's wire contract: signals, batches, receipts, gaps, codec, topics (see docs/protocol.md)."""
