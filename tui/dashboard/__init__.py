"""slottop: link, store, view and widgets as layers over the event stream."""
