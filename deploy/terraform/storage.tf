# The bucket of all that a deployed pipeline reads and writes, laid out as a workdir. Artifacts never
# expire: Vertex AI's cache would go on naming them.
resource "google_storage_bucket" "pipeline" {
  name                        = "${var.project}-${var.name}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  # Versioning keeps what was deleted, for as long as noncurrent_days says and no longer.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.noncurrent_days
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 14
      matches_prefix = ["${local.folder}/dataflow/"]
    }
  }

  depends_on = [google_project_service.used]
}

locals {
  folder = "flowersim"

  # Who writes to the bucket. The second role is for reading what the bucket is, which TensorFlow does.
  writers = {
    runner    = google_service_account.runner.member
    workers   = google_service_account.workers.member
    submitter = google_service_account.submitter.member
  }
}

resource "google_storage_bucket_iam_member" "objects" {
  for_each = local.writers

  bucket = google_storage_bucket.pipeline.name
  role   = "roles/storage.objectUser"
  member = each.value
}

resource "google_storage_bucket_iam_member" "bucket" {
  for_each = local.writers

  bucket = google_storage_bucket.pipeline.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value
}

# A model server reads the pushed models and nothing else: photos and artifacts lie beside them.
resource "google_storage_managed_folder" "serving" {
  bucket = google_storage_bucket.pipeline.name
  name   = "${local.folder}/serving/"
}

resource "google_storage_managed_folder_iam_member" "server_reads" {
  bucket         = google_storage_managed_folder.serving.bucket
  managed_folder = google_storage_managed_folder.serving.name
  role           = "roles/storage.objectViewer"
  member         = google_service_account.server.member
}
