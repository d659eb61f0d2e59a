#!/bin/bash
# Ends what setup.sh started: the API server, and the Docker daemon where it was started by hand.
#
# Clusters stay, and come back with Docker. Run it as the one who ran setup.sh.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$repository/scripts/docker.sh"
. "$repository/scripts/api.sh"

api_stop
docker_stop
