// Command store writes the state directory of a containerd that holds the given images unpacked: what
// `ctr images import` leaves behind, without running a daemon.
//
//	store DIRECTORY ARCHIVE...
//
// Each archive is one that `docker save` or `docker load` knows. Layers stay as snapshots alone: their blobs are
// not needed again, and would double the size of the node image. Unpacking mounts, so run it in a mount namespace
// of its own.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/diff/apply"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/containerd/v2/plugins/diff/walking"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	"github.com/containerd/log"
	bolt "go.etcd.io/bbolt"
)

// Names of containerd's plugins: they are its directories and the keys in its database.
const (
	contentDirectory     = "io.containerd.content.v1.content"
	metadataDirectory    = "io.containerd.metadata.v1.bolt"
	snapshotterDirectory = "io.containerd.snapshotter.v1.overlayfs"
	snapshotter          = "overlayfs"
)

// kubernetesNamespace is where the CRI plugin looks for images.
const kubernetesNamespace = "k8s.io"

// pinned images are the ones kubelet's garbage collection leaves alone: no registry could give them again.
var pinned = map[string]string{"io.cri-containerd.pinned": "pinned"}

// layerReference begins the labels by which a manifest keeps the blobs of its layers.
const layerReference = "containerd.io/gc.ref.content.l."

type differ struct {
	diff.Applier
	diff.Comparer
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: store DIRECTORY ARCHIVE...")
		os.Exit(2)
	}
	// It warns of file systems without fs-verity, which nobody asked for.
	if err := log.SetLevel("error"); err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		os.Exit(1)
	}
	if err := store(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		os.Exit(1)
	}
}

func store(directory string, archives []string) error {
	ctx := namespaces.WithNamespace(context.Background(), kubernetesNamespace)
	db, err := open(ctx, directory)
	if err != nil {
		return err
	}
	defer db.Close()
	services, err := client.New("", client.WithServices(
		client.WithContentStore(db.ContentStore()),
		client.WithImageStore(metadata.NewImageStore(db)),
		client.WithSnapshotters(db.Snapshotters()),
		client.WithLeasesService(metadata.NewLeaseManager(db)),
		client.WithDiffService(differ{
			apply.NewFileSystemApplier(db.ContentStore()),
			walking.NewWalkingDiff(db.ContentStore()),
		}),
	))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if err := load(ctx, services, archive); err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
	}
	if err := releaseLayers(ctx, db.ContentStore()); err != nil {
		return err
	}
	_, err = db.GarbageCollect(ctx)
	return err
}

func open(ctx context.Context, directory string) (*metadata.DB, error) {
	contents, err := local.NewStore(filepath.Join(directory, contentDirectory))
	if err != nil {
		return nil, err
	}
	overlays, err := overlay.NewSnapshotter(filepath.Join(directory, snapshotterDirectory))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(directory, metadataDirectory), 0o711); err != nil {
		return nil, err
	}
	database, err := bolt.Open(filepath.Join(directory, metadataDirectory, "meta.db"), 0o644, nil)
	if err != nil {
		return nil, err
	}
	db := metadata.NewDB(database, contents, map[string]snapshots.Snapshotter{snapshotter: overlays})
	return db, db.Init(ctx)
}

func load(ctx context.Context, services *client.Client, archive string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	images, err := services.Import(ctx, file, client.WithImageLabels(pinned))
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := client.NewImage(services, image).Unpack(ctx, snapshotter); err != nil {
			return err
		}
	}
	return nil
}

func releaseLayers(ctx context.Context, contents content.Store) error {
	return contents.Walk(ctx, func(info content.Info) error {
		var fields []string
		for label := range info.Labels {
			if strings.HasPrefix(label, layerReference) {
				delete(info.Labels, label)
				fields = append(fields, "labels."+label)
			}
		}
		if len(fields) == 0 {
			return nil
		}
		_, err := contents.Update(ctx, info, fields...)
		return err
	})
}
