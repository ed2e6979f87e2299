locals {
  images        = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
  pipeline_root = "gs://${google_storage_bucket.pipeline.name}/${local.folder}"
  subnetwork    = "regions/${var.region}/subnetworks/${google_compute_subnetwork.workers.name}"
}

output "images" {
  description = "Images are pushed to this, as IMAGES/NAME:TAG."
  value       = local.images
}

output "settings" {
  description = "Settings of flowersim compile that name what was made here; images come from the build."
  value = {
    "deployment.project"                  = var.project
    "deployment.region"                   = var.region
    "deployment.pipeline_root"            = local.pipeline_root
    "deployment.service_account"          = google_service_account.runner.email
    "deployment.dataflow.service_account" = google_service_account.workers.email
    "deployment.dataflow.subnetwork"      = local.subnetwork
  }
}

output "submitter" {
  description = "E-mail address of the account that builds, compiles and submits."
  value       = google_service_account.submitter.email
}

output "server" {
  description = "E-mail address of the account for model servers, which reads the pushed models alone."
  value       = google_service_account.server.email
}

output "github_variables" {
  description = "Variables that the repository needs for the workflow release.yml; null without github_repository."
  value = var.github_repository == null ? null : {
    GOOGLE_PROJECT             = var.project
    GOOGLE_REGION              = var.region
    IMAGES                     = local.images
    PIPELINE_ROOT              = local.pipeline_root
    RUNNER                     = google_service_account.runner.email
    SUBMITTER                  = google_service_account.submitter.email
    WORKLOAD_IDENTITY_PROVIDER = google_iam_workload_identity_pool_provider.github[0].name
  }
}
