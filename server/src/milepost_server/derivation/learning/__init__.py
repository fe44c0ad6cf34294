"""What a full derivation learns of a dealer's fleet, and readiness models learn of outcomes."""
