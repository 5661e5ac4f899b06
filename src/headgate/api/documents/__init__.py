"""The shape of every JSON document the operator's listener sends, one file a dialect.

They are typed dictionaries: the type checker holds the code that fills them to the shape,
OpenAPI gets its schemas from them, and sending one costs no validation.
"""

__all__: list[str] = []
