"""k-means by FAISS on the vectors and first centroids of `npm run bench -- kmeans-faiss`, for comparison only.

    python3 -m venv faiss && faiss/bin/pip install faiss-cpu
    FAISS_PYTHON=faiss/bin/python npm run bench -- kmeans-faiss

Prints one JSON line: seconds per iteration and the objective after each.
"""

import json
import sys
import time

import faiss
import numpy as np

folder, threads, iterations = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
faiss.omp_set_num_threads(threads)
points = np.load(f"{folder}/points.npy")
seeds = np.load(f"{folder}/seeds.npy")
clustering = faiss.Clustering(points.shape[1], seeds.shape[0])
clustering.niter = iterations
clustering.nredo = 1
# All vectors, as ours; the default takes 256 per centroid.
clustering.max_points_per_centroid = points.shape[0]
clustering.min_points_per_centroid = 1
faiss.copy_array_to_vector(seeds.ravel(), clustering.centroids)
index = faiss.IndexFlatL2(points.shape[1])
start, processor = time.time(), time.process_time()
clustering.train(points, index)
statistics = [clustering.iteration_stats.at(i) for i in range(clustering.iteration_stats.size())]
times = [stat.time for stat in statistics]
print(
    json.dumps(
        {
            "version": faiss.__version__,
            "seconds": [b - a for a, b in zip([0] + times, times)],
            "processor": time.process_time() - processor,
            "total": time.time() - start,
            "objectives": [float(stat.obj) for stat in statistics],
        }
    )
)
