import sys
from pathlib import Path

# The toy services are started by name, and tests import them by the same one.
sys.path.insert(0, str(Path(__file__).parent))
