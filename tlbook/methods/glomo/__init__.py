"""GLoMo: graphs between the parts of an input, learned without labels and transferred to another task."""
