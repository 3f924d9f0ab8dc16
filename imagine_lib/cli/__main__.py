"""``python -m imagine_lib.cli``, where the program itself is not on the path."""

import sys

from imagine_lib.cli import main

sys.exit(main())
