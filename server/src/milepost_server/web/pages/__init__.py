"""Routes of the pages: read the store, make the context, render."""
