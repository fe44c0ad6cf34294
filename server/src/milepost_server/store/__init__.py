"""The server's store: tables, engine, migrations, and one module of queries per noun."""
