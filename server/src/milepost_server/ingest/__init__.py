"""From the broker to the database: transport, group commit, dedupe, quarantine, receipts."""
