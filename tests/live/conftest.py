import sys
from pathlib import Path

# The synthetic scan is shared by the tests of this room.
sys.path.insert(0, str(Path(__file__).parent))
