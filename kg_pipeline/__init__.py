"""Link the passages and concepts of a knowledge base to the pictures that show them."""
