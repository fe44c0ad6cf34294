"""Milepost's wire contract: signals, batches, receipts, gaps, codec and topics (reference: docs/protocol.md)."""
