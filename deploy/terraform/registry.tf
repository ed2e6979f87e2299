# Where the images are.
resource "google_artifact_registry_repository" "images" {
  location      = var.region
  repository_id = var.name
  description   = "Images of the pipeline's steps"
  format        = "DOCKER"

  docker_config {
    immutable_tags = true
  }

  # A released image keeps its tag for good; what is left without one was built in vain.
  cleanup_policies {
    id     = "delete-untagged"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.used]
}

resource "google_artifact_registry_repository_iam_member" "submitter_writes" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.submitter.member
}

# Vertex AI fetches the steps' image as its own agent; Dataflow's workers fetch theirs as themselves.
resource "google_artifact_registry_repository_iam_member" "workers_read" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.workers.member
}
