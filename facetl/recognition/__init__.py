"""Who a face is: characters named by a network that has learnt them from annotated frames."""
